/* SPDX-License-Identifier: Apache-2.0 */
/* `marl train`: builds the settings, opens the run's directory, hands the loop to the trainer, shows how it goes.
 *
 * Ctrl-C is the program's business, not the library's: the handler only asks the trainer to stop, which it does at its
 * next boundary with a checkpoint; a second Ctrl-C ends the program at once, and the checkpoint before stands. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "curve.h"
#include "json.h"
#include "keys.h"
#include "run_config.h"
#include "terminal.h"

static const option_spec flags[] = {
    {"algo", "NAME", "algorithm: qmix, hpn_qmix, vdn, iql, ... (marl list)"},
    {"env", "NAME", "environment: lbf:8x8-2p-2f-coop, matrix:two_step (marl list)"},
    {"steps", "N", "environment steps to train; 250k and 2M are understood"},
    {"preset", "NAME", "a named set of values, applied before everything else"},
    {"config", "FILE", "values from JSON, such as another run's config.json"},
    {"set", "KEY=VALUE", "one value; may stand many times. env.KEY and net.KEY reach the parts"},
    {"seed", "S", "of everything random; the same seed gives the same bits"},
    {"envs", "N", "environments stepped side by side"},
    {"threads", "N", "threads; never changes the result"},
    {"device", "NAME", "cpu (default), openblas"},
    {"init", "FILE", "start from the parameters of a policy file, or of a run's directory"},
    {"out", "DIR", "the run's directory; default runs/ALGO-ENV-SEED"},
    {"force", NULL, "start anew in a directory that holds a run"},
    {"resume", "DIR", "go on with a run; only --steps and --threads may change"},
    {NULL, NULL, NULL},
};

/* What a path may hold without needing quotes in a shell, besides the slash. */
#define PLAIN_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

/* What a run leaves in its directory. */
static const char *const run_files[] = {"config.json",          "metrics.jsonl",      "metrics.csv",
                                        "checkpoint.safetensors", "policy.safetensors", "policy-best.safetensors"};

/* One call of the command. */
typedef struct train_run {
    const options *options;
    terminal terminal;
    progress_view view;
    marl_host host;
    marl_config *config;
    marl_device *device;
    marl_trainer *trainer;
    char dir[PATH_BYTES];
    char algo[COMPONENT_BYTES], env[COMPONENT_BYTES];
    char replay[128]; /* how much it holds, as the library says */
    uint64_t steps;
    uint64_t first_steps;
    bool is_resumed;
    bool is_failed;
    double seconds;
} train_run;

/* Shared with the handler. */
static marl_trainer *volatile running_trainer;
static volatile sig_atomic_t stop_count;

static void on_interrupt(int signal_number) {
    (void)signal_number;
    if (++stop_count > 1 || !running_trainer) _exit(EXIT_STOPPED);
    marl_trainer_stop(running_trainer);
}

static void catch_interrupts(void) {
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};

    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static void on_log(int32_t level, const char *message, void *user) {
    train_run *run = user;

    if (level == MARL_LOG_INFO && strncmp(message, "replay: ", 8) == 0) {
        snprintf(run->replay, sizeof run->replay, "%s", message); /* for the head */
    }
    if (level > MARL_LOG_WARNING) return;
    progress_hide(&run->view);
    fprintf(stderr, "marl: %s%s\n", level == MARL_LOG_WARNING ? "warning: " : "", message);
}

static marl_status on_progress(const marl_progress *progress, void *user) {
    train_run *run = user;

    /* Asked again, in case Ctrl-C came before marl_trainer_run had begun. */
    if (stop_count > 0) marl_trainer_stop(run->trainer);
    else progress_update(&run->view, progress, false);
    return MARL_OK;
}

/* runs/ALGO-ENV-SEED, where everything that is awkward in a path becomes a dash. */
static void default_dir(train_run *run) {
    char seed[256] = "0";
    size_t bytes;

    marl_config_get(run->config, "seed", seed, sizeof seed);
    bytes = (size_t)snprintf(run->dir, sizeof run->dir, "runs/%s-%s-%s", run->algo, run->env, seed);
    for (size_t i = 5; i < bytes && run->dir[i]; i++) {
        if (!strchr(PLAIN_CHARACTERS, run->dir[i])) run->dir[i] = '-';
    }
}

/* The directories above the run's own, which the trainer expects to exist. */
static int make_parents(const char *dir) {
    char path[PATH_BYTES];

    snprintf(path, sizeof path, "%s", dir);
    for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST) return fail("%s cannot be made: %s", path, strerror(errno));
        *slash = '/';
    }
    return 0;
}

static int remove_old_run(const char *dir) {
    char path[PATH_BYTES];

    for (size_t i = 0; i < sizeof run_files / sizeof run_files[0]; i++) {
        if (!join_path(path, dir, run_files[i])) return EXIT_FAILED;
        if (unlink(path) != 0 && errno != ENOENT) return fail("%s cannot be removed: %s", path, strerror(errno));
    }
    return 0;
}

/* Schedules run over `horizon`; its default, 0, means the steps that the first call asked for. */
static int settle_fresh(train_run *run) {
    const char *out = options_get(run->options, "out");
    int64_t horizon = 0;
    int status = run_config_fresh(run->options, &run->config);

    if (status) return status;
    if (marl_config_get_int(run->config, "horizon", &horizon) != MARL_OK) return fail_library();
    if (!options_get(run->options, "steps") && horizon == 0) {
        return fail_usage(run->options->command, "how long? --steps N, such as --steps 250k");
    }
    if (run->steps == 0) run->steps = (uint64_t)horizon;
    if (horizon == 0 && marl_config_set_int(run->config, "horizon", (int64_t)run->steps) != MARL_OK) {
        return fail_library();
    }
    run_config_names(run->config, run->algo, run->env);
    if (!out) default_dir(run);
    else if (snprintf(run->dir, sizeof run->dir, "%s", out) >= (int)sizeof run->dir) return fail("--out is too long");
    if (dir_has(run->dir, "checkpoint.safetensors") && !options_get(run->options, "force")) {
        return fail("%s holds a run already: go on with it by --resume %s, or start anew with --force", run->dir,
                    run->dir);
    }
    return make_parents(run->dir);
}

static int settle_resumed(train_run *run, const char *dir) {
    int64_t horizon = 0;
    int status = run_config_resumed(run->options, dir, &run->config);

    if (status) return status;
    run->is_resumed = true;
    snprintf(run->dir, sizeof run->dir, "%s", dir);
    run_config_names(run->config, run->algo, run->env);
    if (run->steps == 0 && marl_config_get_int(run->config, "horizon", &horizon) == MARL_OK) {
        run->steps = (uint64_t)horizon;
    }
    return 0;
}

/* The device a run was trained on, if its config.json says so; --device must then agree. */
static int resumed_device(const train_run *run, char name[64]) {
    const char *given = options_get(run->options, "device");
    char path[PATH_BYTES];
    json_slice file = {NULL, 0}, value;
    bool is_recorded;
    char *text;

    snprintf(name, 64, "%s", given ? given : "cpu");
    if (!join_path(path, run->dir, "config.json") || !(text = read_text(path, 1 << 20, &file.bytes))) {
        return EXIT_FAILED;
    }
    file.text = text;
    is_recorded = json_find(file, "device", &value) && json_text(value, name, 64);
    free(text);
    if (!is_recorded || !given || strcmp(given, name) == 0) return 0;
    return fail("--device %s cannot be changed on resume: this run has %s", given, name);
}

static int open_run(train_run *run) {
    const char *init = options_get(run->options, "init"), *device = options_get(run->options, "device");
    char name[64], init_path[PATH_BYTES];
    marl_progress progress = {.struct_size = sizeof progress};
    marl_source source;
    int status = 0;

    snprintf(name, sizeof name, "%s", device ? device : "cpu");
    if (run->is_resumed && (status = resumed_device(run, name))) return status;
    marl_host_init(&run->host, sizeof run->host);
    run->host.log = on_log;
    run->host.user = run;
    if ((status = open_device(&run->host, name, options_get(run->options, "threads"), &run->device))) return status;
    if (marl_trainer_create(run->device, run->config, NULL, &run->trainer) != MARL_OK) return fail_library();
    if (init) {
        marl_source_init(&source, sizeof source);
        source.path = init;
        if (join_path(init_path, init, "policy.safetensors") && access(init_path, R_OK) == 0) source.path = init_path;
        if (marl_trainer_init_from(run->trainer, &source) != MARL_OK) return fail_library();
    }
    if (!run->is_resumed && options_get(run->options, "force") && (status = remove_old_run(run->dir))) return status;
    if (marl_trainer_open_dir(run->trainer, run->dir, run->is_resumed) != MARL_OK) return fail_library();
    if (marl_trainer_on_progress(run->trainer, on_progress, run) != MARL_OK) return fail_library();
    if (marl_trainer_progress(run->trainer, &progress) == MARL_OK) run->first_steps = progress.steps;
    return 0;
}

static void print_head(const train_run *run) {
    const terminal *terminal = &run->terminal;
    const char *dot = terminal->has_utf8 ? "·" : "-";
    char seed[256] = "", envs[256] = "", count[32];
    uint32_t threads = marl_device_threads(run->device);

    marl_config_get(run->config, "seed", seed, sizeof seed);
    marl_config_get(run->config, "envs", envs, sizeof envs);
    printf("%s%s%s learns %s%s%s  %s  %u agents, seed %s, %s environments  %s  %s (%s), %u thread%s\n",
           terminal_style(terminal, STYLE_BOLD), run->algo, terminal_style(terminal, STYLE_PLAIN),
           terminal_style(terminal, STYLE_BOLD), run->env, terminal_style(terminal, STYLE_PLAIN), dot,
           marl_trainer_spec(run->trainer)->agent_count, seed, envs, dot, marl_device_name(run->device),
           marl_device_isa(run->device), threads, threads == 1 ? "" : "s");
    if (run->is_resumed) printf("goes on in %s from step %s\n", run->dir, format_count(run->first_steps, count));
    else printf("keeps everything in %s\n", run->dir);
    if (run->replay[0]) printf("%s\n", run->replay);
    fflush(stdout);
}

/* What a failed run has learnt is worth keeping; the disk is no use if it is what failed. */
static void rescue_policy(const train_run *run, marl_status status) {
    char path[PATH_BYTES];
    marl_sink sink;

    if (status == MARL_E_IO || !join_path(path, run->dir, "policy.safetensors")) return;
    marl_sink_init(&sink, sizeof sink);
    sink.path = path;
    if (marl_trainer_save_policy(run->trainer, &sink) == MARL_OK) {
        fprintf(stderr, "marl: the team as it was then is kept in %s\n", path);
    }
}

static int train_loop(train_run *run) {
    marl_progress progress = {.struct_size = sizeof progress};
    double begun = clock_seconds();
    marl_status status;

    running_trainer = run->trainer;
    catch_interrupts();
    progress_begin(&run->view, &run->terminal, run->first_steps);
    status = marl_trainer_run(run->trainer, run->steps);
    run->seconds = clock_seconds() - begun;
    if (marl_trainer_progress(run->trainer, &progress) == MARL_OK && status == MARL_OK) {
        progress_update(&run->view, &progress, true);
    }
    progress_end(&run->view);
    if (status == MARL_OK) return 0;
    fail_library();
    rescue_policy(run, status);
    return EXIT_FAILED;
}

static void print_command(const train_run *run, const char *what, const char *command, const char *more) {
    const char *quote = strspn(run->dir, PLAIN_CHARACTERS "/") == strlen(run->dir) ? "" : "'";

    printf("  %-15s %s%s %s%s%s%s%s%s\n", what, terminal_style(&run->terminal, STYLE_CYAN), run->options->program,
           command, quote, run->dir, quote, more, terminal_style(&run->terminal, STYLE_PLAIN));
}

static void print_summary(const train_run *run, const marl_progress *progress, bool is_stopped) {
    const terminal *terminal = &run->terminal;
    char steps[32], episodes[32], updates[32], duration[24], rate[16], more[64];
    double done = (double)(progress->steps - run->first_steps);

    putchar('\n');
    curve_draw(run->dir, terminal);
    printf("\n%s%s%s at %s steps, %s episodes, %s updates", terminal_style(terminal, STYLE_BOLD),
           is_stopped ? "stopped" : "done", terminal_style(terminal, STYLE_PLAIN),
           format_count(progress->steps, steps), format_count(progress->episodes, episodes),
           format_count(progress->updates, updates));
    printf(" in %s (%s steps/s)\n", format_duration(run->seconds, duration),
           format_short(run->seconds > 0.0 ? done / run->seconds : 0.0, rate));
    if (!isnan(progress->eval_return_mean)) {
        printf("last evaluation: return %.3f, standard deviation %.3f", progress->eval_return_mean,
               progress->eval_return_std);
        if (!isnan(progress->eval_win_rate)) printf(", won %.0f %%", 100.0 * progress->eval_win_rate);
        putchar('\n');
    }
    putchar('\n');
    snprintf(more, sizeof more, " --steps %llu", (unsigned long long)(is_stopped ? run->steps : 2 * run->steps));
    if (is_stopped) print_command(run, "go on:", "train --resume ", more);
    print_command(run, "watch it play:", "play ", "");
    print_command(run, "measure it:", "eval ", " --episodes 200");
    if (!is_stopped) print_command(run, "train further:", "train --resume ", more);
}

static int train_all(train_run *run) {
    const char *resume = options_get(run->options, "resume");
    marl_progress progress = {.struct_size = sizeof progress};
    char count[32];
    bool is_stopped;
    int status = options_whole(run->options, "steps", 1, &run->steps);

    if (status) return status;
    if ((status = resume ? settle_resumed(run, resume) : settle_fresh(run))) return status;
    if ((status = open_run(run))) return status;
    if (run->is_resumed && run->first_steps >= run->steps) {
        printf("%s has %s steps already; give more with --steps\n", run->dir, format_count(run->first_steps, count));
        return 0;
    }
    print_head(run);
    if ((status = train_loop(run))) return status;
    if (marl_trainer_progress(run->trainer, &progress) != MARL_OK) return fail_library();
    is_stopped = stop_count > 0 && progress.steps < run->steps;
    print_summary(run, &progress, is_stopped);
    return is_stopped ? EXIT_STOPPED : 0;
}

static int train(const options *options) {
    train_run run = {.options = options};
    int status;

    terminal_init(&run.terminal);
    status = train_all(&run);
    running_trainer = NULL;
    marl_trainer_destroy(run.trainer);
    marl_device_close(run.device);
    marl_config_destroy(run.config);
    return status;
}

static int train_help(const options *options) {
    marl_config *config = NULL;
    terminal terminal;
    int status;

    if (!options_get(options, "algo") && !options_get(options, "env") && !options_get(options, "config")) {
        puts("\nThe keys of --set: marl train --help --algo NAME --env NAME");
        return 0;
    }
    if ((status = run_config_for_help(options, &config))) return status;
    terminal_init(&terminal);
    keys_print(config, &terminal);
    marl_config_destroy(config);
    return 0;
}

const command train_command = {
    .name = "train",
    .arguments = "--algo NAME --env NAME --steps N [FLAG...]  |  --resume DIR [--steps N]",
    .summary = "train a team and keep it in a directory",
    .about = "Ctrl-C stops at the next boundary with a checkpoint; a second Ctrl-C ends at once.",
    .flags = flags,
    .run = train,
    .help = train_help,
};
