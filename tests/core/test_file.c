/* SPDX-License-Identifier: Apache-2.0 */
/* Files: reading from all three kinds of source, replacing a file with a fault at every system call in turn, leftovers
 * of killed writers, appending, directories. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/status.h"
#include "support/support.h"

static char folder[512];
static marl__heap heap;

static void make_folder(void) {
    const char *base = getenv("TMPDIR");

    snprintf(folder, sizeof folder, "%s/marl-file-XXXXXX", base && *base ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(marl__heap_init(&heap, NULL), MARL_OK);
}

static void remove_folder(void) {
    char command[600];

    marl__file_set_fault(NULL, NULL);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
    ck_assert_uint_eq(heap.current_bytes, 0);
}

/* Valid until the next call but three. */
static const char *in_folder(const char *name) {
    static char paths[4][1024];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void expect_content(const char *path, const char *expected) {
    char *text = NULL;
    size_t bytes = 0;

    ck_assert_msg(marl__file_read_all(&heap, path, 1 << 20, &text, &bytes) == MARL_OK, "%s", marl_last_error());
    ck_assert_uint_eq(bytes, strlen(expected));
    ck_assert_str_eq(text, expected);
    marl__free(&heap, text);
}

static void put(const char *path, const char *text) {
    ck_assert_msg(marl__file_write_all(path, text, strlen(text)) == MARL_OK, "%s", marl_last_error());
}

static void expect_error(const char *part) {
    ck_assert_msg(strstr(marl_last_error(), part) != NULL, "\"%s\" does not say \"%s\"", marl_last_error(), part);
}

/* ---- reading ---- */

static marl_status serve(uint64_t offset, void *buffer, size_t bytes, void *user) {
    if (!user) return MARL_E_DEVICE;
    memcpy(buffer, (const char *)user + offset, bytes);
    return MARL_OK;
}

START_TEST(three_kinds_of_source) {
    static char text[] = "0123456789";
    const char *path = in_folder("digits");
    marl_source source;
    marl__reader reader;
    char buffer[16] = "";

    put(path, text);
    marl_source_init(&source, sizeof source);
    if (_i == 0) source.path = path;
    if (_i == 1) source.bytes = text;
    if (_i == 2) source.read = serve;
    source.byte_count = _i == 0 ? 0 : 10;
    source.user = text;
    ck_assert_int_eq(marl__reader_open(&source, 10, &reader), MARL_OK);
    ck_assert_uint_eq(reader.byte_count, 10);
    ck_assert_ptr_nonnull(strstr(reader.name, _i == 0 ? "digits" : _i == 1 ? "memory" : "callback"));
    ck_assert_int_eq(marl__reader_read(&reader, 3, buffer, 4), MARL_OK);
    ck_assert_str_eq(buffer, "3456");
    ck_assert_int_eq(marl__reader_read(&reader, 9, buffer, 1), MARL_OK);
    ck_assert_int_eq(buffer[0], '9');
    ck_assert_int_eq(marl__reader_read(&reader, 10, buffer, 0), MARL_OK);
    ck_assert_int_eq(marl__reader_read(&reader, 9, buffer, 2), MARL_E_FORMAT);
    expect_error("ends at byte 10, expected 2 bytes at 9");
    ck_assert_int_eq(marl__reader_read(&reader, 11, buffer, 0), MARL_E_FORMAT);
    ck_assert_int_eq(marl__reader_read(&reader, UINT64_MAX, buffer, 2), MARL_E_FORMAT);
    ck_assert_int_eq(marl__reader_read(&reader, 1, buffer, SIZE_MAX), MARL_E_FORMAT);
    marl__reader_close(&reader);
    marl__reader_close(&reader);
    ck_assert_int_eq(marl__reader_read(&reader, 0, buffer, 1), MARL_E_STATE);
    ck_assert_int_eq(marl__reader_open(&source, 9, &reader), MARL_E_FORMAT);
    expect_error("at most 9 are read");
}
END_TEST

START_TEST(sources_that_are_none) {
    marl_source source;
    marl__reader reader;
    char buffer[4];

    ck_assert_int_eq(marl__reader_open(NULL, 10, &reader), MARL_E_ARGUMENT);
    marl_source_init(&source, sizeof source);
    ck_assert_int_eq(marl__reader_open(&source, 10, &reader), MARL_E_ARGUMENT);
    expect_error("sets 0 of path, bytes and read");
    source.path = "x";
    source.bytes = "x";
    ck_assert_int_eq(marl__reader_open(&source, 10, &reader), MARL_E_ARGUMENT);
    expect_error("sets 2 of");
    source.bytes = NULL;
    source.struct_size = 7;
    ck_assert_int_eq(marl__reader_open(&source, 10, &reader), MARL_E_ARGUMENT);
    marl_source_init(&source, sizeof source);
    source.path = "";
    ck_assert_int_eq(marl__reader_open(&source, 10, &reader), MARL_E_ARGUMENT);
    marl_source_init(&source, sizeof source);
    source.read = serve;
    source.byte_count = 4;
    ck_assert_int_eq(marl__reader_open(&source, 10, &reader), MARL_OK);
    ck_assert_int_eq(marl__reader_read(&reader, 0, buffer, 4), MARL_E_CALLBACK);
    expect_error("MARL_E_DEVICE");
    marl__reader_close(&reader);
    marl_source_init(NULL, 8);
    marl_sink_init(NULL, 8);
}
END_TEST

START_TEST(paths_that_cannot_be_read) {
    char *text = NULL, longest[5000];
    size_t bytes = 1;

    ck_assert_int_eq(marl__file_read_all(&heap, in_folder("missing"), 10, &text, &bytes), MARL_E_IO);
    expect_error("missing");
    expect_error(strerror(ENOENT));
    ck_assert_ptr_null(text);
    ck_assert_uint_eq(bytes, 0);
    ck_assert_int_eq(marl__file_read_all(&heap, folder, 10, &text, &bytes), MARL_E_IO);
    expect_error("is a directory");
    ck_assert_int_eq(mkfifo(in_folder("fifo"), 0600), 0);
    ck_assert_int_eq(marl__file_read_all(&heap, in_folder("fifo"), 10, &text, &bytes), MARL_E_IO);
    expect_error("no ordinary file");
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    ck_assert_int_eq(marl__file_read_all(&heap, longest, 10, &text, &bytes), MARL_E_ARGUMENT);
    longest[1000] = '\0'; /* opens nothing, and its name is kept short in messages */
    ck_assert_int_eq(marl__file_read_all(&heap, longest, 10, &text, &bytes), MARL_E_IO);
}
END_TEST

START_TEST(file_that_shrinks_while_read) {
    marl_source source;
    marl__reader reader;
    char buffer[8];

    put(in_folder("shrinks"), "12345678");
    marl_source_init(&source, sizeof source);
    source.path = in_folder("shrinks");
    ck_assert_int_eq(marl__reader_open(&source, 100, &reader), MARL_OK);
    ck_assert_int_eq(truncate(in_folder("shrinks"), 5), 0);
    ck_assert_int_eq(marl__reader_read(&reader, 0, buffer, 8), MARL_E_IO);
    expect_error("became shorter");
    marl__reader_close(&reader);
}
END_TEST

START_TEST(reading_all_without_memory) {
    marl__test_memory memory = {.fail_at = 1};
    marl_host host;
    marl__heap poor;
    char *text = NULL;
    size_t bytes = 0;

    put(in_folder("some"), "some");
    marl__test_host(&memory, &host);
    marl__heap_init(&poor, &host);
    ck_assert_int_eq(marl__file_read_all(&poor, in_folder("some"), 10, &text, &bytes), MARL_E_NOMEM);
    ck_assert_int_eq(marl__file_read_all(&poor, in_folder("some"), SIZE_MAX, &text, &bytes), MARL_OK);
    ck_assert_uint_eq(bytes, 4);
    marl__free(&poor, text);
    ck_assert_uint_eq(memory.live_blocks, 0);
}
END_TEST

/* ---- faults ---- */

typedef struct plan { int at, error, calls; const char *only; char last[16]; } plan;

static int plan_fault(const char *name, void *user) {
    plan *own = user;

    if (own->only && strcmp(own->only, name) != 0) return 0;
    if (++own->calls != own->at) return 0;
    snprintf(own->last, sizeof own->last, "%s", name);
    return own->error;
}

static int count_entries(const char *part) {
    char command[700];
    FILE *list = NULL;
    int count = -1;

    snprintf(command, sizeof command, "ls -A '%s' | grep -c '%s'", folder, part);
    list = popen(command, "r");
    ck_assert_int_eq(fscanf(list, "%d", &count), 1);
    pclose(list);
    return count;
}

static marl_status save_new(const char *path) {
    marl_sink sink;
    marl__writer writer;
    marl_status status;

    marl_sink_init(&sink, sizeof sink);
    sink.path = path;
    if ((status = marl__writer_open(&sink, &writer)) != MARL_OK) return status;
    marl__writer_write(&writer, "new ", 4);
    marl__writer_write(&writer, "content", 7);
    status = marl__writer_commit(&writer);
    marl__writer_abort(&writer); /* fine after both */
    return status;
}

/* Every call fails once, with a full disk and with a broken one. Before the rename, and at it, the old file stays; the
 * last sync of the directory is the only one that fails with the new file in place. */
START_TEST(save_with_a_fault_at_every_call) {
    const int error = _i ? EIO : ENOSPC;
    const char *path = in_folder("state");
    int faults = 0, old_kept = 0;

    for (int at = 1;; ++at) {
        plan own = {.at = at, .error = error};
        put(path, "old content");
        marl__file_set_fault(plan_fault, &own);
        marl_status status = save_new(path);
        marl__file_set_fault(NULL, NULL);
        ck_assert_int_eq(count_entries("tmp"), 0);
        if (own.last[0] == '\0') {
            ck_assert_int_eq(status, MARL_OK);
            expect_content(path, "new content");
            break;
        }
        ck_assert_int_eq(status, MARL_E_IO);
        expect_error("state");
        expect_error(strerror(error));
        int is_last_sync = strstr(marl_last_error(), "written whole") != NULL;
        expect_content(path, is_last_sync ? "new content" : "old content");
        old_kept += !is_last_sync;
        ++faults;
    }
    ck_assert_int_eq(faults, 9); /* open, 2 writes, fsync, close, open, fsync, rename, fsync */
    ck_assert_int_eq(old_kept, 8);
}
END_TEST

START_TEST(short_writes_go_on) {
    for (int at = 1; at <= 6; ++at) {
        plan own = {.at = at, .error = -1, .only = "write"};
        marl__file_set_fault(plan_fault, &own);
        ck_assert_int_eq(save_new(in_folder("short")), MARL_OK);
        marl__file_set_fault(NULL, NULL);
        expect_content(in_folder("short"), "new content");
    }
}
END_TEST

START_TEST(read_with_a_fault_at_every_call) {
    int faults = 0;

    put(in_folder("some"), "some");
    for (int at = 1;; ++at) {
        plan own = {.at = at, .error = EIO};
        char *text = NULL;
        size_t bytes = 0;
        marl__file_set_fault(plan_fault, &own);
        marl_status status = marl__file_read_all(&heap, in_folder("some"), 10, &text, &bytes);
        marl__file_set_fault(NULL, NULL);
        marl__free(&heap, text);
        if (own.last[0] == '\0') break;
        ck_assert_int_eq(status, MARL_E_IO);
        expect_error(strerror(EIO));
        ++faults;
    }
    ck_assert_int_eq(faults, 3); /* open, fstat, read */
}
END_TEST

static void *write_elsewhere(void *path) {
    return marl__file_write_all(path, "theirs", 6) == MARL_OK ? path : NULL;
}

START_TEST(faults_are_this_threads_only) {
    plan own = {.at = 1, .error = EIO};
    pthread_t thread;
    void *result = NULL;
    char path[1024];

    snprintf(path, sizeof path, "%s/theirs", folder);
    marl__file_set_fault(plan_fault, &own);
    ck_assert_int_eq(pthread_create(&thread, NULL, write_elsewhere, path), 0);
    pthread_join(thread, &result);
    ck_assert_ptr_eq(result, path);
    ck_assert_int_eq(own.calls, 0);
    ck_assert_int_eq(marl__file_write_all(in_folder("other"), "x", 1), MARL_E_IO);
    ck_assert_int_eq(own.calls, 1);
}
END_TEST

/* ---- writing ---- */

typedef struct taken { char text[64]; size_t bytes; marl_status status; } taken;

static marl_status take_bytes(const void *data, size_t bytes, void *user) {
    taken *own = user;

    if (own->status != MARL_OK) return own->status;
    memcpy(own->text + own->bytes, data, bytes);
    own->bytes += bytes;
    return MARL_OK;
}

START_TEST(sinks_that_are_callbacks) {
    taken own = {.bytes = 0};
    marl_sink sink;
    marl__writer writer;

    marl_sink_init(&sink, sizeof sink);
    sink.write = take_bytes;
    sink.user = &own;
    ck_assert_int_eq(marl__writer_open(&sink, &writer), MARL_OK);
    ck_assert_int_eq(marl__writer_write(&writer, "abc", 3), MARL_OK);
    ck_assert_int_eq(marl__writer_write(&writer, "", 0), MARL_OK);
    ck_assert_int_eq(marl__writer_write(&writer, "de", 2), MARL_OK);
    ck_assert_uint_eq(writer.byte_count, 5);
    ck_assert_int_eq(marl__writer_commit(&writer), MARL_OK);
    ck_assert_str_eq(own.text, "abcde");
    ck_assert_int_eq(marl__writer_write(&writer, "f", 1), MARL_E_STATE);

    ck_assert_int_eq(marl__writer_open(&sink, &writer), MARL_OK);
    own.status = MARL_E_DEVICE;
    ck_assert_int_eq(marl__writer_write(&writer, "g", 1), MARL_E_CALLBACK);
    expect_error("MARL_E_DEVICE");
    own.status = MARL_OK;
    ck_assert_int_eq(marl__writer_write(&writer, "h", 1), MARL_E_CALLBACK); /* sticky */
    ck_assert_int_eq(marl__writer_commit(&writer), MARL_E_CALLBACK);
    ck_assert_str_eq(own.text, "abcde");

    sink.path = "both";
    ck_assert_int_eq(marl__writer_open(&sink, &writer), MARL_E_ARGUMENT);
    expect_error("both");
    marl_sink_init(&sink, sizeof sink);
    ck_assert_int_eq(marl__writer_open(&sink, &writer), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl__writer_commit(&writer), MARL_E_STATE);
    ck_assert_int_eq(marl__writer_open(NULL, &writer), MARL_E_ARGUMENT);
}
END_TEST

START_TEST(giving_up_leaves_the_old_file) {
    marl_sink sink;
    marl__writer writer;

    put(in_folder("kept"), "kept");
    marl_sink_init(&sink, sizeof sink);
    sink.path = in_folder("kept");
    ck_assert_int_eq(marl__writer_open(&sink, &writer), MARL_OK);
    ck_assert_int_eq(marl__writer_write(&writer, "half", 4), MARL_OK);
    ck_assert_int_eq(count_entries("kept.tmp"), 1);
    marl__writer_abort(&writer);
    ck_assert_int_eq(count_entries("tmp"), 0);
    ck_assert_int_eq(marl__writer_commit(&writer), MARL_E_STATE);
    expect_content(in_folder("kept"), "kept");
}
END_TEST

START_TEST(two_writers_of_one_file) {
    marl_sink sink;
    marl__writer first, second;

    marl_sink_init(&sink, sizeof sink);
    sink.path = in_folder("both");
    ck_assert_int_eq(marl__writer_open(&sink, &first), MARL_OK);
    ck_assert_int_eq(marl__writer_open(&sink, &second), MARL_E_IO);
    expect_error("another writer");
    marl__writer_abort(&second); /* must not take the first one's temporary */
    ck_assert_int_eq(marl__writer_write(&first, "first", 5), MARL_OK);
    ck_assert_int_eq(marl__writer_commit(&first), MARL_OK);
    expect_content(in_folder("both"), "first");
}
END_TEST

START_TEST(a_writer_killed_while_saving) {
    int result = 0;

    put(in_folder("state"), "old content");
    pid_t child = fork();
    if (child == 0) {
        marl_sink sink;
        marl__writer writer;
        marl_sink_init(&sink, sizeof sink);
        sink.path = in_folder("state");
        if (marl__writer_open(&sink, &writer) != MARL_OK) _exit(1);
        marl__writer_write(&writer, "half of a longer tex", 20);
        _exit(7);
    }
    ck_assert_int_eq(waitpid(child, &result, 0), child);
    ck_assert(WIFEXITED(result) && WEXITSTATUS(result) == 7);
    ck_assert_int_eq(count_entries("state.tmp"), 1);
    expect_content(in_folder("state"), "old content");
    ck_assert_int_eq(save_new(in_folder("state")), MARL_OK);
    ck_assert_int_eq(count_entries("tmp"), 0);
    expect_content(in_folder("state"), "new content");
}
END_TEST

START_TEST(temporaries_that_are_traps) {
    put(in_folder("precious"), "precious");
    ck_assert_int_eq(symlink(in_folder("precious"), in_folder("state.tmp")), 0);
    ck_assert_int_eq(save_new(in_folder("state")), MARL_E_IO);
    expect_content(in_folder("precious"), "precious");
    ck_assert_int_eq(mkdir(in_folder("dir"), 0700), 0);
    ck_assert_int_eq(save_new(in_folder("dir")), MARL_E_IO);
    expect_error("is a directory");
    ck_assert_int_eq(mkfifo(in_folder("pipe"), 0600), 0);
    ck_assert_int_eq(save_new(in_folder("pipe")), MARL_E_IO);
    expect_error("is no ordinary file");
    ck_assert_int_eq(marl__path_kind(in_folder("pipe")), 3);
    ck_assert_int_eq(save_new(in_folder("missing/state")), MARL_E_IO);
    expect_error(strerror(ENOENT));
}
END_TEST

/* A name without a folder is written in the working directory, whose entry is synced as "." */
START_TEST(names_without_a_folder) {
    int before = open(".", O_RDONLY | O_DIRECTORY);

    ck_assert_int_ge(before, 0);
    ck_assert_int_eq(chdir(folder), 0);
    marl_status status = save_new("plain");
    ck_assert_int_eq(fchdir(before), 0);
    close(before);
    ck_assert_int_eq(status, MARL_OK);
    expect_content(in_folder("plain"), "new content");
}
END_TEST

/* ---- appending ---- */

START_TEST(appending_from_a_length) {
    const char *path = in_folder("metrics.jsonl");
    marl__append append;

    ck_assert_int_eq(marl__append_open(path, 0, &append), MARL_OK);
    ck_assert_int_eq(marl__append_write(&append, "one\n", 4), MARL_OK);
    ck_assert_int_eq(marl__append_write(&append, "two\n", 4), MARL_OK);
    ck_assert_int_eq(marl__append_sync(&append), MARL_OK);
    ck_assert_uint_eq(append.byte_count, 8);
    marl__append_close(&append);
    ck_assert_int_eq(marl__append_write(&append, "x", 1), MARL_E_STATE);
    ck_assert_int_eq(marl__append_sync(&append), MARL_E_STATE);

    ck_assert_int_eq(marl__append_open(path, 4, &append), MARL_OK);
    ck_assert_int_eq(marl__append_write(&append, "three\n", 6), MARL_OK);
    marl__append_close(&append);
    expect_content(path, "one\nthree\n");
    ck_assert_int_eq(marl__append_open(path, 11, &append), MARL_E_FORMAT);
    expect_error("has 10 bytes, expected at least 11");
    ck_assert_int_eq(append.file, -1);
    expect_content(path, "one\nthree\n");
    ck_assert_int_eq(marl__append_open(folder, 0, &append), MARL_E_IO);
    ck_assert_int_eq(marl__append_open("", 0, &append), MARL_E_ARGUMENT);
}
END_TEST

START_TEST(a_failed_line_is_taken_back) {
    const char *path = in_folder("metrics.csv");
    plan own = {.at = 1, .error = -1, .only = "write"};
    marl__append append;

    ck_assert_int_eq(marl__append_open(path, 0, &append), MARL_OK);
    ck_assert_int_eq(marl__append_write(&append, "head\n", 5), MARL_OK);
    marl__file_set_fault(plan_fault, &own); /* half of it, and then the disk is full */
    ck_assert_int_eq(marl__append_write(&append, "1,2,3,4\n", 8), MARL_OK);
    own = (plan){.at = 1, .error = ENOSPC, .only = "write"};
    ck_assert_int_eq(marl__append_write(&append, "5,6,7,8\n", 8), MARL_E_IO);
    expect_error(strerror(ENOSPC));
    marl__file_set_fault(NULL, NULL);
    ck_assert_uint_eq(append.byte_count, 13);
    ck_assert_int_eq(marl__append_write(&append, "9\n", 2), MARL_OK);
    marl__append_close(&append);
    expect_content(path, "head\n1,2,3,4\n9\n");
}
END_TEST

static int half_then_full(const char *name, void *user) {
    int *calls = user;

    if (strcmp(name, "write") != 0) return 0;
    return ++*calls == 1 ? -1 : ENOSPC;
}

START_TEST(half_a_line_is_cut_off) {
    const char *path = in_folder("half");
    marl__append append;
    int calls = 0;

    ck_assert_int_eq(marl__append_open(path, 0, &append), MARL_OK);
    ck_assert_int_eq(marl__append_write(&append, "head\n", 5), MARL_OK);
    marl__file_set_fault(half_then_full, &calls);
    ck_assert_int_eq(marl__append_write(&append, "12345678\n", 9), MARL_E_IO);
    marl__file_set_fault(NULL, NULL);
    ck_assert_int_eq(calls, 2);
    marl__append_close(&append);
    expect_content(path, "head\n");
}
END_TEST

START_TEST(append_faults) {
    static const char *const names[] = {"open", "fstat", "ftruncate", "fsync"};
    const char *path = in_folder("lines");
    plan own = {.at = 1, .error = EIO, .only = names[_i]};
    marl__append append;

    put(path, "lines");
    marl__file_set_fault(plan_fault, &own);
    marl_status status = marl__append_open(path, 2, &append);
    if (status == MARL_OK) status = marl__append_sync(&append);
    marl__file_set_fault(NULL, NULL);
    marl__append_close(&append);
    ck_assert_int_eq(status, MARL_E_IO);
    expect_error(strerror(EIO));
    expect_content(path, _i == 3 ? "li" : "lines");
}
END_TEST

/* ---- directories ---- */

START_TEST(directories_with_parents) {
    ck_assert_int_eq(marl__path_kind(in_folder("a")), 0);
    ck_assert_int_eq(marl__make_dir(in_folder("a/b//c/")), MARL_OK);
    ck_assert_int_eq(marl__path_kind(in_folder("a/b/c")), 2);
    ck_assert_int_eq(marl__make_dir(in_folder("a/b/c")), MARL_OK);
    ck_assert_int_eq(marl__make_dir(in_folder("a/b/c/")), MARL_OK);
    put(in_folder("a/file"), "x");
    ck_assert_int_eq(marl__path_kind(in_folder("a/file")), 1);
    ck_assert_int_eq(marl__make_dir(in_folder("a/file")), MARL_E_IO);
    ck_assert_int_eq(marl__make_dir(in_folder("a/file/below")), MARL_E_IO);
    ck_assert_int_eq(marl__make_dir(""), MARL_E_ARGUMENT);
    plan own = {.at = 2, .error = ENOSPC, .only = "mkdir"};
    marl__file_set_fault(plan_fault, &own);
    ck_assert_int_eq(marl__make_dir(in_folder("d/e/f")), MARL_E_IO);
    marl__file_set_fault(NULL, NULL);
    expect_error("/d/e: ");
    ck_assert_int_eq(marl__path_kind(in_folder("d")), 2);
}
END_TEST

Suite *marl__suite_core_file(void) {
    Suite *suite = suite_create("file");
    TCase *tests = tcase_create("file");

    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_loop_test(tests, three_kinds_of_source, 0, 3);
    tcase_add_test(tests, sources_that_are_none);
    tcase_add_test(tests, paths_that_cannot_be_read);
    tcase_add_test(tests, file_that_shrinks_while_read);
    tcase_add_test(tests, reading_all_without_memory);
    tcase_add_loop_test(tests, save_with_a_fault_at_every_call, 0, 2);
    tcase_add_test(tests, short_writes_go_on);
    tcase_add_test(tests, read_with_a_fault_at_every_call);
    tcase_add_test(tests, faults_are_this_threads_only);
    tcase_add_test(tests, sinks_that_are_callbacks);
    tcase_add_test(tests, giving_up_leaves_the_old_file);
    tcase_add_test(tests, two_writers_of_one_file);
    tcase_add_test(tests, a_writer_killed_while_saving);
    tcase_add_test(tests, temporaries_that_are_traps);
    tcase_add_test(tests, names_without_a_folder);
    tcase_add_test(tests, appending_from_a_length);
    tcase_add_test(tests, a_failed_line_is_taken_back);
    tcase_add_test(tests, half_a_line_is_cut_off);
    tcase_add_loop_test(tests, append_faults, 0, 4);
    tcase_add_test(tests, directories_with_parents);
    suite_add_tcase(suite, tests);
    return suite;
}
