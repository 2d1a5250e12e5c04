/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * measure: runs the jobs of a job file in interleaved rounds (A B C, A B C, ...), so
 * that a slow moment of the machine hits all of them, and compares them.
 *
 * A job file has one item a line; words are separated by blanks, there is no
 * quoting and no shell, and a word $NAME is replaced by that environment variable:
 *
 *	job NAME WORD...              a program and its arguments
 *	after NAME WORD...            run untimed after each run of that job
 *	floor NAME                    the job that all the others are compared with
 *	rival NAME OTHER              and the one that this job is compared with
 *	limit NAME wall MAX OTHER     median of wall(NAME) / wall(OTHER) of each round
 *	limit NAME user MAX OTHER     median user(NAME) / median wall(OTHER)
 *	limit NAME rss MAX            the largest peak of resident memory in MB
 *	rate NAME COUNT               say COUNT / median wall(NAME), a second
 *	optional NAME                 where it cannot be started, all is well, too, and
 *	                              its limits are left out
 *
 * Standard output of the jobs goes to /dev/null, what they say on standard error is
 * shown when they fail.  A program that cannot be started is left out and reported
 * at the end.  Exit status: 0 all well, 1 a limit missed or a job failed, 2 usage.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	JOBS_MAX = 32,
	LIMITS_MAX = 64,
	WORDS_MAX = 32,
	ROUNDS_MAX = 101,
	SECONDS_MAX = 300, /* a run that takes longer is killed, and has failed */
	COLUMNS = 9,
	CELL = 48,
};

struct sample {
	double wall, user, sys;
};

struct job {
	char *name;
	char *argv[WORDS_MAX + 1];
	char *after[WORDS_MAX + 1];
	const struct job *rival;
	struct sample runs[ROUNDS_MAX];
	double rss_mb;
	double count;    /* of what a run works through; 0: its rate is not shown */
	int not_started; /* errno of the attempt */
	bool optional;
	unsigned int failed;
	char complaint[256]; /* of the first failure */
};

enum quantity { WALL, USER, RSS, QUANTITIES };

static const struct {
	const char *name, *unit;
} quantities[QUANTITIES] = {
	[WALL] = { "wall", "x" },
	[USER] = { "user", "x" },
	[RSS] = { "rss", "MB" },
};

struct limit {
	const struct job *job, *base;
	enum quantity quantity;
	double max;
};

struct bench {
	struct job jobs[JOBS_MAX];
	struct limit limits[LIMITS_MAX];
	unsigned int jobs_n, limits_n, rounds;
	const struct job *floor;
	bool markdown;
};

extern char **environ;

/* For the signal handler: the child that runs now, and whether its time was up. */
static volatile sig_atomic_t running, timed_out;

/* --- running ----------------------------------------------------------- */

static void
on_signal(int sig)
{
	if (running > 0)
		kill(running, sig == SIGALRM ? SIGKILL : SIGTERM);
	if (sig == SIGALRM) {
		timed_out = 1;
		return;
	}
	if (running > 0)
		waitpid(running, NULL, 0);
	_exit(128 + sig);
}

static void
catch_signals(void)
{
	static const int caught[] = { SIGALRM, SIGHUP, SIGINT, SIGTERM };
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	for (size_t i = 0; i < sizeof(caught) / sizeof(*caught); i++)
		sigaction(caught[i], &action, NULL);
}

static double
seconds(struct timeval tv)
{
	return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Starts a program with its standard error in said; 0 or -errno. */
static int
start(char *const *argv, int said, pid_t *pid)
{
	posix_spawn_file_actions_t files;
	int err;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&files, said, 2);
	err = posix_spawnp(pid, argv[0], &files, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	return -err;
}

/* The first failure of a job is kept: how it ended and the last line it wrote. */
static void
note_failure(struct job *job, const char *what, int status, int said)
{
	char tail[160], *line;
	off_t end = lseek(said, 0, SEEK_END);
	off_t from = end < (off_t)sizeof(tail) ? 0 : end - (off_t)sizeof(tail) + 1;
	ssize_t got = pread(said, tail, sizeof(tail) - 1, from);

	if (job->failed++ > 0)
		return;
	tail[got > 0 ? got : 0] = '\0';
	while (got > 0 && tail[got - 1] == '\n')
		tail[--got] = '\0';
	line = strrchr(tail, '\n') ? strrchr(tail, '\n') + 1 : tail;
	if (timed_out)
		snprintf(job->complaint, sizeof(job->complaint),
			 "%s: killed after %d s", what, SECONDS_MAX);
	else
		snprintf(job->complaint, sizeof(job->complaint), "%s: %s %d%s%s", what,
			 WIFSIGNALED(status) ? "signal" : "exit status",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
			 *line ? ": " : "", line);
}

/*
 * Runs one program to its end; 0, whatever its exit status, or -errno when it was
 * not started.  The peak of memory that the kernel reports includes this process at
 * the moment of the spawn, which is why this program is kept small.
 */
static int
run(struct job *job, char *const *argv, struct sample *sample)
{
	struct rusage usage;
	double begin, wall;
	int said, err, status;
	pid_t pid;

	said = memfd_create("stderr", MFD_CLOEXEC);
	if (said < 0)
		return -errno;
	timed_out = 0;
	begin = now();
	err = start(argv, said, &pid);
	if (err == 0) {
		running = pid;
		alarm(SECONDS_MAX);
		wait4(pid, &status, 0, &usage);
		running = 0;
		wall = now() - begin;
		alarm(0);
		if (status != 0)
			note_failure(job, argv[0], status, said);
	}
	if (err == 0 && sample != NULL) {
		*sample = (struct sample){ wall, seconds(usage.ru_utime),
					   seconds(usage.ru_stime) };
		if (job->rss_mb < (double)usage.ru_maxrss * 1024 / 1e6)
			job->rss_mb = (double)usage.ru_maxrss * 1024 / 1e6;
	}
	close(said);
	return err;
}

/* Round 0 warms up: it is overwritten by the first round that counts. */
static void
run_rounds(struct bench *b)
{
	for (unsigned int round = 0; round <= b->rounds; round++) {
		for (unsigned int i = 0; i < b->jobs_n; i++) {
			struct job *job = &b->jobs[i];
			struct sample *sample = &job->runs[round ? round - 1 : 0];

			if (job->not_started)
				continue;
			job->not_started = -run(job, job->argv, sample);
			if (!job->not_started && job->after[0])
				job->not_started = -run(job, job->after, NULL);
		}
		if (isatty(2))
			fprintf(stderr, "\rround %u of %u%s", round, b->rounds,
				round < b->rounds ? "" : "\n");
	}
}

/* --- arithmetic -------------------------------------------------------- */

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct spread {
	double min, median, max;
};

static struct spread
spread_of(double *values, unsigned int n)
{
	qsort(values, n, sizeof(*values), compare);
	return (struct spread){
		values[0],
		(values[(n - 1) / 2] + values[n / 2]) / 2,
		values[n - 1],
	};
}

static struct spread
times(const struct bench *b, const struct job *job, size_t member)
{
	double values[ROUNDS_MAX];

	for (unsigned int i = 0; i < b->rounds; i++)
		memcpy(&values[i], (const char *)&job->runs[i] + member,
		       sizeof(values[i]));
	return spread_of(values, b->rounds);
}

#define TIMES(b, job, member) times(b, job, offsetof(struct sample, member))

static double
ratio(const struct bench *b, const struct job *job, const struct job *base)
{
	double values[ROUNDS_MAX];

	for (unsigned int i = 0; i < b->rounds; i++)
		values[i] = job->runs[i].wall / base->runs[i].wall;
	return spread_of(values, b->rounds).median;
}

/* --- reporting --------------------------------------------------------- */

static void
ratio_cell(const struct bench *b, char *cell, const struct job *job,
	   const struct job *base)
{
	if (base != NULL && base != job && !base->not_started)
		snprintf(cell, CELL, "%.2f", ratio(b, job, base));
}

static void
fill_row(const struct bench *b, char row[COLUMNS][CELL], const struct job *job)
{
	struct spread wall;

	snprintf(row[0], CELL, "%s", job->name);
	if (job->not_started) {
		snprintf(row[1], CELL, "not run");
		return;
	}
	wall = TIMES(b, job, wall);
	snprintf(row[1], CELL, "%.3f", wall.median);
	snprintf(row[2], CELL, "%.3f-%.3f", wall.min, wall.max);
	snprintf(row[3], CELL, "%.3f", TIMES(b, job, user).median);
	snprintf(row[4], CELL, "%.3f", TIMES(b, job, sys).median);
	snprintf(row[5], CELL, "%.1f", job->rss_mb);
	ratio_cell(b, row[6], job, b->floor);
	ratio_cell(b, row[7], job, job->rival);
	snprintf(row[8], CELL, "%s", job->rival ? job->rival->name : "");
}

static void
print_row(const struct bench *b, char row[COLUMNS][CELL], const int *width)
{
	char line[COLUMNS * (CELL + 3) + 2];
	int len = 0;

	for (int c = 0; c < COLUMNS; c++) {
		bool text = c == 0 || c == COLUMNS - 1;

		len += sprintf(line + len, "%s%*s%s", b->markdown ? "| " : "",
			       text ? -width[c] : width[c], row[c],
			       b->markdown ? " " : "  ");
	}
	while (!b->markdown && len > 0 && line[len - 1] == ' ')
		line[--len] = '\0';
	printf("%s%s\n", line, b->markdown ? "|" : "");
}

static void
print_table(const struct bench *b)
{
	static char rows[JOBS_MAX + 1][COLUMNS][CELL] = {
		{ "job", "wall s", "min-max", "user s", "sys s", "RSS MB", "x floor",
		  "x rival", "rival" },
	};
	int width[COLUMNS] = { 0 };

	for (unsigned int i = 0; i < b->jobs_n; i++)
		fill_row(b, rows[i + 1], &b->jobs[i]);
	for (unsigned int i = 0; i <= b->jobs_n; i++)
		for (int c = 0; c < COLUMNS; c++)
			if (width[c] < (int)strlen(rows[i][c]))
				width[c] = (int)strlen(rows[i][c]);
	print_row(b, rows[0], width);
	if (b->markdown)
		puts("| :-- | --: | --: | --: | --: | --: | --: | --: | :-- |");
	for (unsigned int i = 1; i <= b->jobs_n; i++)
		print_row(b, rows[i], width);
}

static bool
left_out(const struct job *job)
{
	return job != NULL && job->optional && job->not_started;
}

static bool
usable(const struct job *job)
{
	return job == NULL || (!job->not_started && job->failed == 0);
}

static void
print_rates(const struct bench *b)
{
	bool any = false;

	for (unsigned int i = 0; i < b->jobs_n; i++) {
		const struct job *job = &b->jobs[i];

		if (job->count == 0 || !usable(job))
			continue;
		if (!any)
			puts(b->markdown ? "\nA second:\n" : "\na second");
		any = true;
		printf("%s%-11s  %9.0f\n", b->markdown ? "- " : "", job->name,
		       job->count / TIMES(b, job, wall).median);
	}
}

/* True when it is kept.  A job that failed has no figure to be believed. */
static bool
print_limit(const struct bench *b, const struct limit *l)
{
	const char *unit = quantities[l->quantity].unit;
	bool measured = usable(l->job) && usable(l->base), kept;
	double reached = 0;
	char text[CELL] = "no figure";

	if (measured && l->quantity == WALL)
		reached = ratio(b, l->job, l->base);
	else if (measured && l->quantity == USER)
		reached =
			TIMES(b, l->job, user).median / TIMES(b, l->base, wall).median;
	else if (measured)
		reached = l->job->rss_mb;
	kept = measured && reached <= l->max;
	if (measured)
		snprintf(text, sizeof(text), "%.3f %s", reached, unit);
	printf("%s%-6s  %-10s %-4s  %9s  (at most %.2f %s%s%s)\n",
	       b->markdown ? "- " : "", kept ? "kept" : "MISSED", l->job->name,
	       quantities[l->quantity].name, text, l->max, unit, l->base ? " " : "",
	       l->base ? l->base->name : "");
	return kept;
}

static int
report(const struct bench *b)
{
	bool well = true;

	print_table(b);
	print_rates(b);
	if (b->limits_n > 0)
		puts(b->markdown ? "\nBudget:\n" : "\nbudget");
	for (unsigned int i = 0; i < b->limits_n; i++)
		if (!left_out(b->limits[i].job) && !left_out(b->limits[i].base))
			well &= print_limit(b, &b->limits[i]);
	fflush(stdout);
	for (unsigned int i = 0; i < b->jobs_n; i++) {
		const struct job *job = &b->jobs[i];

		if (job->not_started)
			fprintf(stderr, "measure: %s: not run: %s: %s\n", job->name,
				job->argv[0], strerror(job->not_started));
		if (job->failed)
			fprintf(stderr, "measure: %s: failed %u times: %s\n", job->name,
				job->failed, job->complaint);
		well &= usable(job) || left_out(job);
	}
	return well ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* --- the job file ------------------------------------------------------ */

struct parser {
	struct bench *bench;
	const char *file;
	unsigned int line;
	char *words[WORDS_MAX + 3]; /* ends with NULL */
	unsigned int words_n;
};

static _Noreturn void
bad_line(const struct parser *p, const char *what, const char *word)
{
	fprintf(stderr, "measure: %s:%u: %s%s%s\n", p->file, p->line, what,
		word ? ": " : "", word ? word : "");
	exit(2);
}

static struct job *
find_job(const struct parser *p, const char *name)
{
	for (unsigned int i = 0; name != NULL && i < p->bench->jobs_n; i++)
		if (strcmp(p->bench->jobs[i].name, name) == 0)
			return &p->bench->jobs[i];
	bad_line(p, "no such job", name);
}

static double
parse_double(const struct parser *p, const char *word)
{
	char *end;
	double value;

	if (word == NULL)
		bad_line(p, "a number is missing", NULL);
	value = strtod(word, &end);
	if (end == word || *end)
		bad_line(p, "not a number", word);
	return value;
}

static void
parse_limit(struct parser *p)
{
	struct bench *b = p->bench;
	struct limit *limit = &b->limits[b->limits_n++];

	if (b->limits_n == LIMITS_MAX || p->words_n < 4)
		bad_line(p, "not a limit", NULL);
	limit->job = find_job(p, p->words[1]);
	while (strcmp(quantities[limit->quantity].name, p->words[2]) != 0)
		if (++limit->quantity == QUANTITIES)
			bad_line(p, "neither wall, user nor rss", p->words[2]);
	limit->max = parse_double(p, p->words[3]);
	if (limit->quantity != RSS)
		limit->base = find_job(p, p->words[4]);
}

static void
parse_item(struct parser *p)
{
	struct bench *b = p->bench;
	char **words = p->words;
	struct job *job;

	if (strcmp(words[0], "job") == 0 && p->words_n >= 3) {
		if (b->jobs_n == JOBS_MAX)
			bad_line(p, "too many jobs", NULL);
		job = &b->jobs[b->jobs_n++];
		job->name = words[1];
		memcpy(job->argv, words + 2, sizeof(job->argv));
	} else if (strcmp(words[0], "after") == 0 && p->words_n >= 3) {
		job = find_job(p, words[1]);
		memcpy(job->after, words + 2, sizeof(job->after));
	} else if (strcmp(words[0], "floor") == 0) {
		b->floor = find_job(p, words[1]);
	} else if (strcmp(words[0], "rival") == 0) {
		job = find_job(p, words[1]);
		job->rival = find_job(p, words[2]);
	} else if (strcmp(words[0], "limit") == 0) {
		parse_limit(p);
	} else if (strcmp(words[0], "rate") == 0) {
		job = find_job(p, words[1]);
		job->count = parse_double(p, words[2]);
	} else if (strcmp(words[0], "optional") == 0) {
		find_job(p, words[1])->optional = true;
	} else {
		bad_line(p,
			 "neither job, after, floor, rival, limit, rate nor optional",
			 words[0]);
	}
}

/* Splits a line that stays allocated: the words point into it. */
static void
split(struct parser *p, char *line)
{
	char *save, *word = strtok_r(line, " \t\n", &save);

	memset(p->words, 0, sizeof(p->words));
	for (p->words_n = 0; word; word = strtok_r(NULL, " \t\n", &save)) {
		if (p->words_n == WORDS_MAX + 2)
			bad_line(p, "too many words", NULL);
		if (word[0] == '$') {
			if (getenv(word + 1) == NULL)
				bad_line(p, "not in the environment", word);
			word = getenv(word + 1);
		}
		p->words[p->words_n++] = word;
	}
}

static void
read_jobs(struct bench *b, const char *file)
{
	struct parser p = { .bench = b, .file = file };
	FILE *in = fopen(file, "re");
	char *line = NULL;
	size_t size = 0;

	if (in == NULL) {
		fprintf(stderr, "measure: %s: %s\n", file, strerror(errno));
		exit(2);
	}
	while (getline(&line, &size, in) >= 0) {
		p.line++;
		split(&p, line);
		if (p.words_n == 0 || p.words[0][0] == '#')
			continue;
		parse_item(&p);
		line = NULL;
		size = 0;
	}
	free(line);
	fclose(in);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "rounds", required_argument, NULL, 'r' },
		{ "markdown", no_argument, NULL, 'm' },
		{ 0 },
	};
	static struct bench b = { .rounds = 5 };
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'r')
			b.rounds = (unsigned int)strtoul(optarg, NULL, 10);
		else if (c == 'm')
			b.markdown = true;
		else
			b.rounds = 0;
	}
	if (optind != argc - 1 || b.rounds < 1 || b.rounds > ROUNDS_MAX) {
		fprintf(stderr,
			"usage: measure [--rounds N] [--markdown] JOBFILE\n"
			"N is 1 to %d, one more round warms up\n",
			ROUNDS_MAX);
		return 2;
	}
	read_jobs(&b, argv[optind]);
	catch_signals();
	run_rounds(&b);
	return report(&b);
}
