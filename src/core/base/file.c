/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes in and out of files.
 *
 * A file that is replaced goes through PATH.tmp: created with O_EXCL, locked, written, synced, renamed over PATH, and
 * the directory synced. The name is fixed so that a run killed while saving leaves one file at most, which the next
 * save takes away; the lock tells a leftover from the temporary of another process that is saving right now.
 *
 * Every system call that can fail goes through a wrapper of its own name, which first asks the test's fault hook and
 * goes on after EINTR. The hook is thread-local: a test cannot disturb another thread. */
#include "core/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/status.h"

#define SHORT_WRITE (-1)

/* The structs keep a path, and the temporary's with its suffix, in 4096 bytes. */
#define LONGEST_PATH (4096 - 8)

static _Thread_local marl__file_fault fault_hook;
static _Thread_local void *fault_user;

void marl__file_set_fault(marl__file_fault fault, void *user) {
    fault_hook = fault;
    fault_user = user;
}

/* 0: go on. Else errno is set and the call has failed, or SHORT_WRITE. */
static int asked_fault(const char *name) {
    int fault = fault_hook ? fault_hook(name, fault_user) : 0;

    if (fault > 0) errno = fault;
    return fault;
}

/* ---- system calls ---- */

static int sys_open(const char *path, int flags) {
    int file;

    if (asked_fault("open")) return -1;
    do file = open(path, flags | O_CLOEXEC | O_NOCTTY, 0666);
    while (file < 0 && errno == EINTR);
    return file;
}

static int sys_fstat(int file, struct stat *out) {
    return asked_fault("fstat") ? -1 : fstat(file, out);
}

static ssize_t sys_pread(int file, void *buffer, size_t bytes, uint64_t offset) {
    ssize_t got;

    if (asked_fault("read")) return -1;
    do got = pread(file, buffer, bytes, (off_t)offset);
    while (got < 0 && errno == EINTR);
    return got;
}

static ssize_t sys_write(int file, const void *data, size_t bytes) {
    int fault = asked_fault("write");
    ssize_t written;

    if (fault > 0) return -1;
    if (fault == SHORT_WRITE && bytes > 1) bytes /= 2;
    do written = write(file, data, bytes);
    while (written < 0 && errno == EINTR);
    return written;
}

static int sys_fsync(int file) {
    int result;

    if (asked_fault("fsync")) return -1;
    do result = fsync(file);
    while (result < 0 && errno == EINTR);
    return result;
}

static int sys_ftruncate(int file, uint64_t bytes) {
    int result;

    if (asked_fault("ftruncate")) return -1;
    do result = ftruncate(file, (off_t)bytes);
    while (result < 0 && errno == EINTR);
    return result;
}

/* Linux has given the descriptor back even when close says EINTR; a second try could close somebody else's file. */
static int sys_close(int file) {
    int fault = asked_fault("close"); /* errno is the fault's; closed all the same */
    int wanted = errno;

    if (close(file) < 0 && errno != EINTR) return -1;
    errno = wanted;
    return fault ? -1 : 0;
}

static int sys_rename(const char *from, const char *to) {
    return asked_fault("rename") ? -1 : rename(from, to);
}

static int sys_mkdir(const char *path) {
    return asked_fault("mkdir") ? -1 : mkdir(path, 0777);
}

/* ---- messages ---- */

/* "cannot VERB PATH: what errno means" */
static marl_status io_error(const char *verb, const char *path) {
    char buffer[128];

    return marl__fail(MARL_E_IO, "cannot %s %s: %s", verb, path, strerror_r(errno, buffer, sizeof buffer));
}

/* Long paths keep their end, which tells more than the start. */
static void name_path(char *out, size_t capacity, const char *path) {
    size_t bytes = strlen(path);

    if (bytes < capacity) memcpy(out, path, bytes + 1);
    else snprintf(out, capacity, "...%s", path + bytes - (capacity - 4));
}

static marl_status check_path(const char *path) {
    if (path[0] == '\0') return marl__fail(MARL_E_ARGUMENT, "the path is empty");
    if (strlen(path) > LONGEST_PATH)
        return marl__fail(MARL_E_ARGUMENT, "the path has %zu bytes, at most %d work", strlen(path), LONGEST_PATH);
    return MARL_OK;
}

void marl_source_init(marl_source *source, uint32_t struct_size) {
    if (!source || struct_size < sizeof source->struct_size) return;
    memset(source, 0, struct_size);
    source->struct_size = struct_size;
}

void marl_sink_init(marl_sink *sink, uint32_t struct_size) {
    if (!sink || struct_size < sizeof sink->struct_size) return;
    memset(sink, 0, struct_size);
    sink->struct_size = struct_size;
}

/* ---- reading ---- */

/* O_NONBLOCK: opening a fifo must not wait for its other end before it is refused. */
static marl_status open_regular(const char *path, int *file, uint64_t *byte_count) {
    struct stat info;
    marl_status status = MARL_OK;

    *byte_count = 0;
    *file = sys_open(path, O_RDONLY | O_NONBLOCK);
    if (*file < 0) return io_error("open", path);
    if (sys_fstat(*file, &info) < 0) status = io_error("examine", path);
    else if (S_ISDIR(info.st_mode)) status = marl__fail(MARL_E_IO, "%s is a directory, expected a file", path);
    else if (!S_ISREG(info.st_mode)) status = marl__fail(MARL_E_IO, "%s is no ordinary file", path);
    if (status == MARL_OK) {
        *byte_count = (uint64_t)info.st_size;
        return MARL_OK;
    }
    close(*file);
    *file = -1;
    return status;
}

static marl_status check_source(const marl_source *source, marl_source *out) {
    marl_status status = marl__take_struct(out, sizeof *out, source, sizeof *out, "marl_source");
    int given = 0;

    if (status != MARL_OK) return status;
    given = (out->path != NULL) + (out->bytes != NULL) + (out->read != NULL);
    if (given != 1)
        return marl__fail(MARL_E_ARGUMENT, "marl_source sets %d of path, bytes and read, expected exactly one", given);
    return out->path ? check_path(out->path) : MARL_OK;
}

marl_status marl__reader_open(const marl_source *source, uint64_t max_bytes, marl__reader *out) {
    marl_source checked;
    marl_status status = check_source(source, &checked);

    memset(out, 0, sizeof *out);
    out->file = -1;
    if (status != MARL_OK) return status;
    out->source = checked;
    out->source.path = NULL;
    out->byte_count = checked.byte_count;
    name_path(out->name, sizeof out->name, checked.path ? checked.path : checked.bytes ? "memory" : "callback");
    if (checked.path && (status = open_regular(checked.path, &out->file, &out->byte_count)) != MARL_OK) return status;
    if (out->byte_count <= max_bytes) return MARL_OK;
    status = marl__fail(MARL_E_FORMAT, "%s has %llu bytes, at most %llu are read", out->name,
                        (unsigned long long)out->byte_count, (unsigned long long)max_bytes);
    marl__reader_close(out);
    return status;
}

static marl_status read_file(marl__reader *reader, uint64_t offset, char *buffer, size_t bytes) {
    while (bytes > 0) {
        ssize_t got = sys_pread(reader->file, buffer, bytes, offset);
        if (got < 0) return io_error("read", reader->name);
        if (got == 0)
            return marl__fail(MARL_E_IO, "%s became shorter while it was read: it had %llu bytes, it ends at %llu",
                              reader->name, (unsigned long long)reader->byte_count, (unsigned long long)offset);
        buffer += got;
        bytes -= (size_t)got;
        offset += (uint64_t)got;
    }
    return MARL_OK;
}

marl_status marl__reader_read(marl__reader *reader, uint64_t offset, void *buffer, size_t bytes) {
    const marl_source *source = &reader->source;
    marl_status status;

    if (offset > reader->byte_count || bytes > reader->byte_count - offset)
        return marl__fail(MARL_E_FORMAT, "%s ends at byte %llu, expected %zu bytes at %llu", reader->name,
                          (unsigned long long)reader->byte_count, bytes, (unsigned long long)offset);
    if (bytes == 0) return MARL_OK;
    if (reader->file >= 0) return read_file(reader, offset, buffer, bytes);
    if (source->bytes) {
        memcpy(buffer, (const char *)source->bytes + offset, bytes);
        return MARL_OK;
    }
    if (!source->read) return marl__fail(MARL_E_STATE, "%s is closed", reader->name);
    status = source->read(offset, buffer, bytes, source->user);
    if (status == MARL_OK) return MARL_OK;
    return marl__fail(MARL_E_CALLBACK, "the read callback gave %s for %zu bytes at %llu", marl_status_name(status),
                      bytes, (unsigned long long)offset);
}

void marl__reader_close(marl__reader *reader) {
    if (reader->file >= 0) close(reader->file);
    reader->file = -1;
    memset(&reader->source, 0, sizeof reader->source);
}

/* ---- replacing a file ---- */

static int same_file(int file, const char *path) {
    struct stat held, named;

    return fstat(file, &held) == 0 && lstat(path, &named) == 0 && held.st_dev == named.st_dev &&
           held.st_ino == named.st_ino;
}

/* A temporary that nobody holds locked was left by a process that died; only its lock's holder may take it away. */
static void remove_leftover(const char *temporary) {
    int file = open(temporary, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (file < 0) return;
    if (flock(file, LOCK_EX | LOCK_NB) == 0 && same_file(file, temporary)) unlink(temporary);
    close(file);
}

/* File systems without locks answer with something else than EWOULDBLOCK; there O_EXCL alone has to do. */
static marl_status open_temporary(marl__writer *writer) {
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;

    writer->file = sys_open(writer->temporary, flags);
    if (writer->file < 0 && errno == EEXIST) {
        remove_leftover(writer->temporary);
        writer->file = sys_open(writer->temporary, flags);
        if (writer->file < 0 && errno == EEXIST)
            return marl__fail(MARL_E_IO, "cannot write %s: %s is in use by another writer, or is no file of ours",
                              writer->path, writer->temporary);
    }
    if (writer->file < 0) return io_error("create", writer->temporary);
    if (flock(writer->file, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return MARL_OK;
    close(writer->file); /* the temporary is the lock's holder's to remove */
    writer->file = -1;
    return marl__fail(MARL_E_IO, "cannot write %s: another writer is saving it", writer->path);
}

marl_status marl__writer_open(const marl_sink *sink, marl__writer *out) {
    marl_sink checked;
    marl_status status = marl__take_struct(&checked, sizeof checked, sink, sizeof checked, "marl_sink");

    memset(out, 0, sizeof *out);
    out->file = -1;
    out->status = MARL_E_STATE;
    if (status != MARL_OK) return status;
    if (!checked.path == !checked.write)
        return marl__fail(MARL_E_ARGUMENT, "marl_sink sets %s of path and write, expected exactly one",
                          checked.path ? "both" : "neither");
    out->sink = checked;
    out->sink.path = NULL;
    if (checked.path) {
        if ((status = check_path(checked.path)) != MARL_OK) return status;
        snprintf(out->path, sizeof out->path, "%s", checked.path);
        snprintf(out->temporary, sizeof out->temporary, "%s.tmp", checked.path);
        if (marl__path_kind(out->path) == 2)
            return marl__fail(MARL_E_IO, "%s is a directory, expected a file", out->path);
        if (marl__path_kind(out->path) == 3) /* the rename would put a file in the place of a device */
            return marl__fail(MARL_E_IO, "%s is no ordinary file", out->path);
        if ((status = open_temporary(out)) != MARL_OK) {
            out->temporary[0] = '\0'; /* not ours */
            return status;
        }
    }
    return out->status = MARL_OK;
}

static marl_status write_file(int file, const char *data, size_t bytes, const char *path) {
    while (bytes > 0) {
        ssize_t written = sys_write(file, data, bytes);
        if (written < 0) return io_error("write", path);
        data += written;
        bytes -= (size_t)written;
    }
    return MARL_OK;
}

marl_status marl__writer_write(marl__writer *writer, const void *data, size_t bytes) {
    marl_status status;

    if (writer->status != MARL_OK || bytes == 0) return writer->status;
    if (writer->file >= 0) {
        writer->status = write_file(writer->file, data, bytes, writer->path);
    } else if ((status = writer->sink.write(data, bytes, writer->sink.user)) != MARL_OK) {
        writer->status = marl__fail(MARL_E_CALLBACK, "the write callback gave %s for %zu bytes at %llu",
                                    marl_status_name(status), bytes, (unsigned long long)writer->byte_count);
    }
    if (writer->status == MARL_OK) writer->byte_count += bytes;
    return writer->status;
}

/* Opens the directory that holds path. */
static int open_parent(const char *path) {
    char parent[4096];
    const char *slash = strrchr(path, '/');
    size_t bytes = slash ? (size_t)(slash - path) : 0;

    if (!slash) return sys_open(".", O_RDONLY | O_DIRECTORY);
    memcpy(parent, path, bytes);
    parent[bytes] = '\0';
    return sys_open(bytes > 0 ? parent : "/", O_RDONLY | O_DIRECTORY);
}

/* Some file systems cannot sync a directory and say so with EINVAL; they have no better to offer. */
static int sync_directory(int directory) {
    return sys_fsync(directory) == 0 || errno == EINVAL ? 0 : -1;
}

/* The directory is opened and synced before the rename too: what can fail does so while the old file still stands. */
static marl_status publish(marl__writer *writer) {
    int directory = open_parent(writer->path);
    marl_status status = MARL_OK;

    if (directory < 0) return io_error("open the directory of", writer->path);
    if (sync_directory(directory) < 0) {
        status = io_error("sync the directory of", writer->path);
    } else if (sys_rename(writer->temporary, writer->path) < 0) {
        status = io_error("replace", writer->path);
    } else {
        writer->temporary[0] = '\0';
        if (sync_directory(directory) < 0) {
            char buffer[128];
            status = marl__fail(MARL_E_IO, "%s is written whole, but its directory could not be synced: %s",
                                writer->path, strerror_r(errno, buffer, sizeof buffer));
        }
    }
    close(directory);
    return status;
}

/* close may be the first to tell of a write that failed (NFS), so it comes before the rename; a second descriptor keeps
 * the lock until the name is gone, or another writer could take our temporary for a leftover. */
static marl_status commit_file(marl__writer *writer) {
    int closing = -1;
    marl_status status = MARL_OK;

    if (sys_fsync(writer->file) < 0) return io_error("sync", writer->path);
    closing = fcntl(writer->file, F_DUPFD_CLOEXEC, 0);
    if (closing < 0 || sys_close(closing) < 0) return io_error("close", writer->path);
    if ((status = publish(writer)) != MARL_OK) return status;
    close(writer->file);
    writer->file = -1;
    return MARL_OK;
}

marl_status marl__writer_commit(marl__writer *writer) {
    marl_status status = writer->status;

    if (status == MARL_OK && writer->file >= 0) status = commit_file(writer);
    writer->status = status;
    marl__writer_abort(writer);
    return status;
}

void marl__writer_abort(marl__writer *writer) {
    if (writer->temporary[0] != '\0') unlink(writer->temporary);
    if (writer->file >= 0) close(writer->file);
    writer->file = -1;
    writer->temporary[0] = '\0';
    if (writer->status == MARL_OK) writer->status = MARL_E_STATE; /* refuses what comes after */
}

/* ---- whole files ---- */

marl_status marl__file_read_all(marl__heap *heap, const char *path, size_t max_bytes, char **out, size_t *out_bytes) {
    marl_source source;
    marl__reader reader;
    marl_status status;
    char *text = NULL;

    *out = NULL;
    *out_bytes = 0;
    marl_source_init(&source, sizeof source);
    source.path = path;
    if (max_bytes > SIZE_MAX - 1) max_bytes = SIZE_MAX - 1;
    if ((status = marl__reader_open(&source, max_bytes, &reader)) != MARL_OK) return status;
    text = marl__alloc(heap, (size_t)reader.byte_count + 1);
    if (!text) { status = MARL_E_NOMEM; goto done; }
    if ((status = marl__reader_read(&reader, 0, text, (size_t)reader.byte_count)) != MARL_OK) goto done;
    text[reader.byte_count] = '\0';
    *out = text;
    *out_bytes = (size_t)reader.byte_count;
    text = NULL;
done:
    marl__free(heap, text);
    marl__reader_close(&reader);
    return status;
}

marl_status marl__file_write_all(const char *path, const void *data, size_t bytes) {
    marl_sink sink;
    marl__writer writer;
    marl_status status;

    marl_sink_init(&sink, sizeof sink);
    sink.path = path;
    if ((status = marl__writer_open(&sink, &writer)) != MARL_OK) return status;
    marl__writer_write(&writer, data, bytes); /* sticky */
    return marl__writer_commit(&writer);
}

/* ---- appending ---- */

static marl_status cut_to(int file, const char *path, uint64_t keep_bytes) {
    struct stat info;

    if (sys_fstat(file, &info) < 0) return io_error("examine", path);
    if (!S_ISREG(info.st_mode)) return marl__fail(MARL_E_IO, "%s is no ordinary file", path);
    if ((uint64_t)info.st_size < keep_bytes)
        return marl__fail(MARL_E_FORMAT, "%s has %llu bytes, expected at least %llu: it was cut or replaced", path,
                          (unsigned long long)info.st_size, (unsigned long long)keep_bytes);
    if ((uint64_t)info.st_size > keep_bytes && sys_ftruncate(file, keep_bytes) < 0) return io_error("cut", path);
    return MARL_OK;
}

marl_status marl__append_open(const char *path, uint64_t keep_bytes, marl__append *out) {
    marl_status status = check_path(path);

    memset(out, 0, sizeof *out);
    out->file = -1;
    if (status != MARL_OK) return status;
    snprintf(out->path, sizeof out->path, "%s", path);
    out->file = sys_open(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK);
    if (out->file < 0) return io_error("open", path);
    out->byte_count = keep_bytes;
    if ((status = cut_to(out->file, path, keep_bytes)) != MARL_OK) marl__append_close(out);
    return status;
}

/* Half a line would spoil the file for its readers: what was written of it is cut off again. */
marl_status marl__append_write(marl__append *append, const char *text, size_t bytes) {
    marl_status status;

    if (append->file < 0) return marl__fail(MARL_E_STATE, "the file to append to is not open");
    status = write_file(append->file, text, bytes, append->path);
    if (status == MARL_OK) append->byte_count += bytes;
    else if (ftruncate(append->file, (off_t)append->byte_count) < 0) marl__append_close(append);
    return status;
}

marl_status marl__append_sync(marl__append *append) {
    if (append->file < 0) return marl__fail(MARL_E_STATE, "the file to append to is not open");
    return sys_fsync(append->file) < 0 ? io_error("sync", append->path) : MARL_OK;
}

void marl__append_close(marl__append *append) {
    if (append->file >= 0) close(append->file);
    append->file = -1;
}

/* ---- directories ---- */

static marl_status make_one(const char *path) {
    if (sys_mkdir(path) == 0) return MARL_OK;
    if (errno == EEXIST && marl__path_kind(path) == 2) return MARL_OK;
    return io_error("create the directory", path);
}

marl_status marl__make_dir(const char *path) {
    char part[4096];
    marl_status status = check_path(path);

    if (status != MARL_OK) return status;
    if (marl__path_kind(path) == 2) return MARL_OK;
    snprintf(part, sizeof part, "%s", path);
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (marl__path_kind(part) != 2 && (status = make_one(part)) != MARL_OK) return status;
        *slash = '/';
    }
    return marl__path_kind(part) == 2 ? MARL_OK : make_one(part);
}

int marl__path_kind(const char *path) {
    struct stat info;

    if (stat(path, &info) != 0) return 0;
    if (S_ISDIR(info.st_mode)) return 2;
    return S_ISREG(info.st_mode) ? 1 : 3;
}
