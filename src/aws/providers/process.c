/*-------------------------------------------------------------------------
 *
 * process.c
 *		Credentials that a program of a profile (credential_process) prints.
 *
 * Run without a shell, and only when sagemaker_fdw.allow_credential_process is on.
 * The program's errors go to the server's log, as far as it prints any.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "aws/providers/provider.h"
#include "compat.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/latch.h"

#define TIMEOUT_US (60 * INT64CONST(1000000))
#define END_POLL_MS 5
#define OUTPUT_SIZE_MAX (64 * 1024)
#define ARGUMENTS_MAX 100

bool		smf_allow_credential_process = false;

extern char **environ;

/* A program that runs. */
typedef struct Program
{
	pid_t		pid;			/* of it, and of its process group */
	int			output;			/* where its output comes from; counted */
	bool		ended;			/* and its status was fetched */
} Program;

/*
 * A command as its words: separated by blanks, "..." and '...' are one, and a
 * backslash stands for what follows it, but not between '.  False when a quote
 * has no end.
 */
static bool
split_words(const char *command, char **words, int *nwords)
{
	char	   *text = palloc(strlen(command) + 1);

	*nwords = 0;
	for (;;)
	{
		char		quote = '\0';
		char	   *to = text;

		command += strspn(command, " \t\r\n");
		if (*command == '\0')
			break;
		if (*nwords == ARGUMENTS_MAX)
			return false;
		for (; *command && (quote || !strchr(" \t\r\n", *command)); command++)
		{
			if (*command == quote)
				quote = '\0';
			else if (!quote && (*command == '"' || *command == '\''))
				quote = *command;
			else if (*command == '\\' && command[1] != '\0' &&
					 (!quote || (quote == '"' && strchr("\"\\", command[1]))))
				*to++ = *++command;
			else
				*to++ = *command;
		}
		if (quote)
			return false;
		words[(*nwords)++] = pnstrdup(text, to - text);
	}
	words[*nwords] = NULL;
	return *nwords > 0;
}

/* Start the program.  Returns errno, or 0. */
static int
start_program(char **words, Program *program)
{
	int			pipe_fds[2];
	int			error;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t	none;
	sigset_t	all;

	if (pipe2(pipe_fds, O_CLOEXEC) != 0)
		return errno;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
	posix_spawnattr_init(&attributes);
	/* a group of its own, so that what it starts ends with it */
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
							 POSIX_SPAWN_SETPGROUP);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setpgroup(&attributes, 0);
	error = posix_spawnp(&program->pid, words[0], &actions, &attributes, words, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	close(pipe_fds[1]);
	if (error != 0)
		close(pipe_fds[0]);
	else
		program->output = pipe_fds[0];
	return error;
}

/* Let go of the program; one that runs yet is killed.  Also run when the backend exits. */
static void
release_program(int code, Datum arg)
{
	Program    *program = (Program *) DatumGetPointer(arg);

	close(program->output);
	ReleaseExternalFD();
	if (program->ended)
		return;
	kill(-program->pid, SIGKILL);
	while (waitpid(program->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* What pg_stat_activity shows while the program is waited for. */
static uint32
wait_event(void)
{
	static uint32 event = 0;

	if (event == 0)
		event = smf_wait_event("SagemakerFdwCredentialProcess");
	return event;
}

/* Read the program's output to its end; false when it takes too long or is too much. */
static bool
read_output(int fd, int64 until_us, char *text, size_t *len)
{
	*len = 0;
	for (;;)
	{
		long		left_ms = (until_us - smf_http_now()) / 1000;
		int			events;
		ssize_t		got;

		if (left_ms <= 0)
			return false;
		events = WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_SOCKET_READABLE | WL_TIMEOUT |
								   WL_EXIT_ON_PM_DEATH, fd, left_ms, wait_event());
		if (events & WL_LATCH_SET)
			ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (!(events & WL_SOCKET_READABLE))
			continue;
		got = read(fd, text + *len, OUTPUT_SIZE_MAX - *len);
		if (got == 0)
			return true;
		if (got < 0 && errno != EINTR && errno != EAGAIN)
			return false;
		if (got > 0)
			*len += got;
		if (*len == OUTPUT_SIZE_MAX)
			return false;
	}
}

/* Wait for the program's own end, which may come after that of its output; false when not in time. */
static bool
await_end(pid_t pid, int64 until_us, int *status)
{
	while (smf_http_now() < until_us)
	{
		if (waitpid(pid, status, WNOHANG) != 0)
			return true;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 END_POLL_MS, wait_event());
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	return false;
}

/* Credentials that the profile's program prints. */
bool
smf_provide_process(ProviderContext *context, const char *profile, AwsCredentials *credentials)
{
	static const char *const names[] = {"Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"};
	char	   *values[lengthof(names)];
	const char *command = smf_profile_get(context, profile, "credential_process");
	char	   *words[ARGUMENTS_MAX + 1];
	int			nwords;
	Program		program = {0};
	int			error;
	int			status = -1;
	char	   *text = palloc(OUTPUT_SIZE_MAX + 1);
	size_t		len = 0;
	int64		until_us = smf_http_now() + TIMEOUT_US;
	bool		good;

	if (command == NULL)
		return false;
	if (!smf_allow_credential_process)
		smf_provider_fail(context, psprintf("Profile \"%s\" has a credential_process, which is not allowed to run.", profile),
						  "A superuser may set sagemaker_fdw.allow_credential_process.");
	if (!split_words(command, words, &nwords))
		smf_provider_fail(context, psprintf("The credential_process of profile \"%s\" is no command.", profile), NULL);
	if (!AcquireExternalFD())
		smf_provider_fail(context, "This process has too many files open.", NULL);
	error = start_program(words, &program);
	if (error != 0)
	{
		ReleaseExternalFD();
		smf_provider_fail(context, psprintf("The credential_process of profile \"%s\" cannot be run: %s.",
											profile, strerror(error)), NULL);
	}

	/* an administrator's command ends the backend without passing here */
	PG_ENSURE_ERROR_CLEANUP(release_program, PointerGetDatum(&program));
	{
		program.ended = read_output(program.output, until_us, text, &len) &&
			await_end(program.pid, until_us, &status);
	}
	PG_END_ENSURE_ERROR_CLEANUP(release_program, PointerGetDatum(&program));
	release_program(0, PointerGetDatum(&program));

	good = smf_provider_read_json(text, len, NULL, names, values, lengthof(names));
	OPENSSL_cleanse(text, len);
	if (!program.ended || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		smf_provider_fail(context, psprintf("The credential_process of profile \"%s\" failed.", profile), NULL);
	if (!good ||
		values[0] == NULL || strcmp(values[0], "1") != 0 || values[1] == NULL || values[2] == NULL)
		smf_provider_fail(context, psprintf("The credential_process of profile \"%s\" printed no credentials of version 1.",
											profile), NULL);
	smf_provider_keep(credentials, "a credential_process", values[1], values[2], values[3],
					  values[4] ? smf_provider_time(values[4]) : 0);
	OPENSSL_cleanse(values[2], strlen(values[2]));
	if (values[3] != NULL)
		OPENSSL_cleanse(values[3], strlen(values[3]));
	return true;
}
