/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints what happens to flows and expectations, until Ctrl-C. */
#include <conntap/conntap.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/signalfd.h>

static void
put_tuple(struct ct_text *text, const struct ct_tuple *tuple)
{
	const char *proto = ct_proto_name(tuple->proto);

	ct_text_str(text, proto ? proto : "unknown");
	ct_text_char(text, ' ');
	ct_text_addr(text, tuple->family, &tuple->src);
	ct_text_str(text, "->");
	ct_text_addr(text, tuple->family, &tuple->dst);
	if (tuple->has & CT_TUPLE_PORTS)
		ct_text_printf(text, " %u->%u", tuple->sport, tuple->dport);
}

static int
show(const struct ct_event *event, void *data)
{
	static const char *const kinds[] = { "new", "update", "destroy", "lost" };
	struct ct_text *text = data;

	ct_text_str(text, kinds[event->kind]);
	if (event->kind == CT_EVENT_LOST) {
		ct_text_printf(text, " %" PRIu64, event->lost);
	} else if (event->flow) {
		ct_text_str(text, " flow ");
		put_tuple(text, &event->flow->orig);
	} else {
		ct_text_str(text, " expectation ");
		put_tuple(text, &event->expect->tuple);
	}
	ct_text_char(text, '\n');
	return 0;
}

static int
to_stdout(const char *bytes, size_t size, void *data)
{
	(void)data;
	fwrite(bytes, 1, size, stdout);
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : -errno;
}

/* Any loop would do: one that serves a socket besides, or a toolkit's. */
static int
follow(struct ct_events *events, int signals)
{
	struct pollfd fds[] = { { ct_events_fd(events), POLLIN, 0 },
				{ signals, POLLIN, 0 } };
	char buffer[16384];
	struct ct_text text;
	int error = 0;

	ct_text_init(&text, buffer, sizeof(buffer), to_stdout, NULL);
	while (!error && !fds[1].revents) {
		if (poll(fds, 2, -1) < 0)
			return -errno;
		if (fds[0].revents)
			error = ct_events_step(events, show, &text);
		if (!error)
			error = ct_text_flush(&text);
	}
	return error;
}

int
main(void)
{
	struct ct_events_options options = { .groups = CT_EVENTS_FLOWS |
						       CT_EVENTS_EXPECTS };
	struct ct_events *events = NULL;
	sigset_t signals;
	int error;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	error = ct_events_open(&events, &options);
	if (!error) {
		fputs("Listening; Ctrl-C ends it.\n", stderr);
		error = follow(events, signalfd(-1, &signals, SFD_CLOEXEC));
		fprintf(stderr, "%" PRIu64 " events lost.\n", ct_events_lost(events));
	}
	ct_events_free(events);
	if (error)
		fprintf(stderr, "events: %s\n", strerror(-error));
	return error ? 1 : 0;
}
