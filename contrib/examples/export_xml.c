/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes the flows that meet conditions such as proto=tcp,udp or src-nat as XML. */
#include <conntap/conntap.h>
#include <errno.h>
#include <stdio.h>

struct job {
	struct ct_filter *filter;
	struct ct_text text;
};

static int
add_condition(struct ct_filter *filter, char *name)
{
	struct ct_why why = { "there is no such condition" };
	const struct ct_condition *condition;
	char *value = strchr(name, '=');
	int error = -EINVAL;

	if (value)
		*value++ = '\0';
	condition = ct_condition_find(name);
	if (condition)
		error = ct_filter_add(filter, condition, value, &why);
	if (error)
		fprintf(stderr, "export_xml: %s: %s\n", name, why.text);
	return error;
}

static int
put_flow(const struct ct_flow *flow, void *data)
{
	const struct ct_tuple *tuple = &flow->orig;
	struct job *job = data;

	if (!ct_filter_match(job->filter, flow))
		return 0;
	ct_text_printf(&job->text,
		       "  <flow zone=\"%u\" family=\"%s\" proto=\"%u\" src=\"",
		       ct_flow_zone(flow, CT_ORIG), ct_family_name(tuple->family),
		       tuple->proto);
	ct_text_addr(&job->text, tuple->family, &tuple->src);
	ct_text_str(&job->text, "\" dst=\"");
	ct_text_addr(&job->text, tuple->family, &tuple->dst);
	if (tuple->has & CT_TUPLE_PORTS)
		ct_text_printf(&job->text, "\" sport=\"%u\" dport=\"%u", tuple->sport,
			       tuple->dport);
	ct_text_str(&job->text, "\" />\n");
	return job->text.error; /* when nobody reads any more, for instance */
}

static int
to_stdout(const char *bytes, size_t size, void *data)
{
	(void)data;
	fwrite(bytes, 1, size, stdout);
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : -errno;
}

/* After an error the end is missing, so that nobody takes it for whole. */
static int
export_table(struct job *job)
{
	struct ct_dump_options options = { .reader_thread = true };
	struct ct_netlink *netlink = NULL;
	int error = ct_netlink_open(&netlink, NULL);

	ct_text_str(&job->text, "<?xml version=\"1.0\"?>\n<flows>\n");
	if (!error)
		error = ct_dump(netlink, &options, put_flow, job, NULL);
	ct_netlink_free(netlink);
	ct_text_str(&job->text, error ? "" : "</flows>\n");
	return error ? error : ct_text_flush(&job->text);
}

int
main(int argc, char **argv)
{
	struct job job = { .filter = ct_filter_new() };
	char buffer[32768];
	int error = job.filter ? 0 : -ENOMEM;

	ct_text_init(&job.text, buffer, sizeof(buffer), to_stdout, NULL);
	for (int i = 1; !error && i < argc; i++)
		error = add_condition(job.filter, argv[i]);
	if (!error && (error = export_table(&job)))
		fprintf(stderr, "export_xml: %s\n", strerror(-error));
	ct_filter_free(job.filter);
	return error ? 1 : 0;
}
