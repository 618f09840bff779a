/*-------------------------------------------------------------------------
 *
 * process.c
 *		Credentials printed by a profile's program (credential_process).
 *
 * The program is run without a shell, and only if sagemaker_fdw.allow_credential_process
 * is on.  What it writes to its standard error goes to the server's log.  It ends when
 * nobody needs its output any more, and with the backend.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "aws/providers/process.h"
#include "aws/providers/provider.h"
#include "storage/fd.h"
#include "storage/ipc.h"

#define TIMEOUT_US (60 * INT64CONST(1000000))
#define END_POLL_US 5000
#define OUTPUT_SIZE_MAX (64 * 1024)
#define ARGUMENTS_MAX 100

/*
 * Can posix_spawn close all descriptors from a number on?  Not before glibc 2.34, nor in
 * musl.
 */
#ifdef __GLIBC_PREREQ
#if __GLIBC_PREREQ(2, 34)
#define HAVE_CLOSEFROM
#endif
#endif

bool		smf_allow_credential_process = false;

extern char **environ;

/* A program that is running, or has run: a step of the inquiry, and ends with it. */
typedef struct Program
{
	InquiryStep step;
	MemoryContextCallback callback; /* ends it */
	dlist_node	node;			/* in the list of running programs, while pid is set */
	pid_t		pid;			/* of the program and its process group; 0: not running */
	int			output;			/* descriptor to read its output from; counted; -1: closed */
	HttpWatch	watch;			/* for output */
	HttpTimer	timer;			/* to check whether it has ended, or to end it */
	int64		until_us;		/* smf_http_now() at which it has taken too long */
	int			status;			/* from waitpid, once it has ended */
	bool		good;			/* it ended in time, and its output was read completely */
	size_t		len;			/* of text */
	char		text[OUTPUT_SIZE_MAX + 1];	/* its output */
} Program;

/* The running programs: they also end with the backend. */
static dlist_head running = DLIST_STATIC_INIT(running);

/*
 * Split a command into words, which blanks separate.  "..." and '...' keep a word
 * together.  A backslash escapes any character outside quotes, a quote or a backslash
 * within "...", and nothing within '...'.  False when a quote is not closed, or there are
 * no words or too many.
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

		/* Find the start of a word. */
		command += strspn(command, " \t\r\n");
		if (*command == '\0')
			break;
		if (*nwords == ARGUMENTS_MAX)
			return false;

		/* Copy it, up to an unquoted blank. */
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

/*
 * Close all of the program's descriptors except input, output and errors: it must not
 * have the backend's data files and the client's socket.
 */
static int
close_others(posix_spawn_file_actions_t *actions)
{
#ifdef HAVE_CLOSEFROM
	return posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
#else
	/* one by one; the directory's own descriptor is closed by then, which is not an error */
	DIR		   *folder = opendir("/proc/self/fd");
	struct dirent *entry;
	int			error = folder ? 0 : errno;

	while (error == 0 && (entry = readdir(folder)) != NULL)
	{
		int			fd = atoi(entry->d_name);

		if (fd > STDERR_FILENO)
			error = posix_spawn_file_actions_addclose(actions, fd);
	}
	if (folder != NULL)
		closedir(folder);
	return error;
#endif
}

/*
 * Start the program: its process, and *output, to read what it prints.  Returns errno, or
 * 0.
 */
static int
start_program(char **words, pid_t *pid, int *output)
{
	int			pipe_fds[2];
	int			error;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t	none;
	sigset_t	all;

	/* Prepare what the program gets: a pipe for its output, and nothing else of ours. */
	if (pipe2(pipe_fds, O_CLOEXEC) != 0)
		return errno;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
	error = close_others(&actions);
	posix_spawnattr_init(&attributes);
	/* its own group, so that what it starts ends with it */
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
							 POSIX_SPAWN_SETPGROUP);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setpgroup(&attributes, 0);

	/* Start it, and keep our end of the pipe. */
	if (error == 0)
		error = posix_spawnp(pid, words[0], &actions, &attributes, words, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	close(pipe_fds[1]);
	if (error != 0)
		close(pipe_fds[0]);
	else
		*output = pipe_fds[0];
	return error;
}

static void
close_output(Program *program)
{
	if (program->output < 0)
		return;
	smf_http_unwatch(&program->watch);
	close(program->output);
	ReleaseExternalFD();
	program->output = -1;
}

/* End the program if it is still running.  Raises no error. */
static void
end_program(Program *program)
{
	smf_http_timer_cancel(&program->timer);
	close_output(program);
	if (program->pid == 0)
		return;
	kill(-program->pid, SIGKILL);
	while (waitpid(program->pid, NULL, 0) < 0 && errno == EINTR)
		;
	dlist_delete(&program->node);
	program->pid = 0;
}

/* Memory context callback: raises no error. */
static void
program_gone(void *arg)
{
	Program    *program = arg;

	end_program(program);
	OPENSSL_cleanse(program->text, program->len);
}

/* The backend exits, without running memory context callbacks. */
static void
end_all_programs(int code, Datum arg)
{
	while (!dlist_is_empty(&running))
		end_program(dlist_container(Program, node, dlist_head_node(&running)));
}

/* The program has finished, has taken too long, or has printed too much. */
static void
program_answered(Program *program)
{
	end_program(program);
	smf_inquiry_answered(&program->step);
}

/*
 * smf_process_runs
 *		Is a program running, for any session?
 */
bool
smf_process_runs(void)
{
	return !dlist_is_empty(&running);
}

/* Check whether the program has ended, which may be later than the end of its output. */
static void
look_for_end(HttpTimer *timer)
{
	Program    *program = (Program *) ((char *) timer - offsetof(Program, timer));
	int64		now_us = smf_http_now();

	if (program->output < 0 && waitpid(program->pid, &program->status, WNOHANG) == program->pid)
	{
		dlist_delete(&program->node);
		program->pid = 0;
		program->good = true;
		program_answered(program);
	}
	else if (now_us >= program->until_us)
		program_answered(program);
	else
		smf_http_timer_set(timer, program->output >= 0 ? program->until_us :
						   Min(program->until_us, now_us + END_POLL_US));
}

/* There is output, or it has ended. */
static void
read_output(HttpWatch *watch)
{
	Program    *program = (Program *) ((char *) watch - offsetof(Program, watch));
	ssize_t		got = read(program->output, program->text + program->len, OUTPUT_SIZE_MAX - program->len);

	if (got > 0)
		program->len += got;
	else if (got == 0)
	{
		close_output(program);
		look_for_end(&program->timer);
		return;
	}
	else if (errno == EINTR || errno == EAGAIN)
		return;
	if (got < 0 || program->len == OUTPUT_SIZE_MAX)
		program_answered(program);
}

/*
 * Run the profile's command; NULL: it has not ended yet.  Raises 28000 if it cannot be
 * run.
 */
static Program *
run_program(ProviderContext *context, const char *profile, const char *command)
{
	static bool registered = false;
	Program    *program = smf_inquiry_step(context->inquiry, sizeof(Program));
	char	   *words[ARGUMENTS_MAX + 1];
	int			nwords;
	int			error;

	/* Was it run before? */
	if (program->step.answered)
		return program;
	if (program->step.asked)
		return NULL;
	program->step.asked = true;

	/* Start it; the descriptor for its output is counted. */
	if (!split_words(command, words, &nwords))
		smf_provider_fail(context, psprintf("The credential_process of profile \"%s\" is not a command.", profile), NULL);
	if (!AcquireExternalFD())
		smf_provider_fail(context, "This process has too many files open.", NULL);
	if (!registered)
		before_shmem_exit(end_all_programs, (Datum) 0);
	registered = true;

	error = start_program(words, &program->pid, &program->output);
	if (error != 0)
	{
		ReleaseExternalFD();
		smf_provider_fail(context, psprintf("The credential_process of profile \"%s\" cannot be run: %s.",
											profile, strerror(error)), NULL);
	}

	/* Make sure that it ends with the inquiry. */
	dlist_push_tail(&running, &program->node);
	program->callback.func = program_gone;
	program->callback.arg = program;
	MemoryContextRegisterResetCallback(smf_inquiry_context(context->inquiry), &program->callback);

	/* Read its output when there is some. */
	program->watch.ready = read_output;
	program->timer.fire = look_for_end;
	program->until_us = smf_http_now() + TIMEOUT_US;
	smf_http_watch(&program->watch, program->output);
	smf_http_timer_set(&program->timer, program->until_us);
	return NULL;
}

/* Why the program produced nothing usable, in words. */
static const char *
failure(const Program *program)
{
	if (program->len == OUTPUT_SIZE_MAX)
		return "it printed more than 64 kB";
	if (!program->good)
		return "it took more than 60 s, or a program that it started has kept its output open for as long";
	if (WIFSIGNALED(program->status))
		return psprintf("signal %d ended it", WTERMSIG(program->status));
	return psprintf("its exit status is %d", WEXITSTATUS(program->status));
}

/* Credentials that the profile's program prints. */
ProviderResult
smf_provide_process(ProviderContext *context, const char *profile, AwsCredentials *credentials)
{
	static const char *const names[] = {"Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration",
	"AccountId"};
	char	   *values[lengthof(names)];
	const char *command = smf_profile_get(context, profile, "credential_process");
	Program    *program;

	if (command == NULL)
		return SMF_NOT_SET_UP;
	if (!smf_allow_credential_process)
		smf_provider_fail(context, psprintf("Profile \"%s\" has a credential_process, which is not allowed to run.", profile),
						  "A superuser may set sagemaker_fdw.allow_credential_process.");
	program = run_program(context, profile, command);
	if (program == NULL)
		return SMF_ASKED;

	/* Read what it has printed. */
	if (!program->good || !WIFEXITED(program->status) || WEXITSTATUS(program->status) != 0)
		smf_provider_fail(context, psprintf("The credential_process of profile \"%s\" failed: %s.", profile, failure(program)),
						  "What it writes to its standard error is in the database server's log.");
	if (!smf_provider_read_json(program->text, program->len, NULL, names, values, lengthof(names)) ||
		values[0] == NULL || strcmp(values[0], "1") != 0 || values[1] == NULL || values[2] == NULL)
		smf_provider_fail(context, psprintf("The credential_process of profile \"%s\" did not print credentials of version 1.",
											profile), NULL);
	smf_provider_keep(credentials, "a credential_process",
					  psprintf("Check what the credential_process of profile \"%s\" prints.", profile), values[1], values[2], values[3]);
	smf_provider_account(credentials, values[5]);
	smf_provider_expires(context, credentials, values[4] ? smf_provider_time(values[4]) : 0, NULL);
	return SMF_PROVIDED;
}
