/* Keys that change, and their way back to the file. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/keys.h"
#include "config/prefix_text.h"

#define FIRST_EPOCH       1u
#define KEY_FILE_MODE     0600
#define HEAD_SIZE_MAX     256u
#define PRODUCER_SIZE_MAX 320u /* Text of one producer with two keys. */

const struct producer_keys *keys_find(const struct keys *keys, uint64_t producer)
{
    for (uint32_t i = 0; i < keys->producer_count; i++) {
        if (keys->producer[i].producer == producer) {
            return &keys->producer[i];
        }
    }
    return NULL;
}

enum result keys_add(struct keys *keys, uint64_t producer, const struct prefix *from,
                     const uint8_t bytes[SIPHASH_KEY_BYTES])
{
    if (keys_find(keys, producer) != NULL) {
        return RESULT_EXISTS;
    }
    if (keys->producer_count == KEYS_PRODUCERS_MAX) {
        return RESULT_NO_SPACE;
    }
    struct producer_keys *added = &keys->producer[keys->producer_count++];
    *added = (struct producer_keys){
        .producer = producer, .key_count = 1, .key = {{.epoch = FIRST_EPOCH}}, .from = *from};
    memcpy(added->key[0].bytes, bytes, SIPHASH_KEY_BYTES);
    return RESULT_OK;
}

enum result keys_rotate(struct keys *keys, uint64_t producer,
                        const uint8_t bytes[SIPHASH_KEY_BYTES])
{
    const struct producer_keys *found = keys_find(keys, producer);
    if (found == NULL) {
        return RESULT_NOT_FOUND;
    }
    struct producer_keys *rotated = &keys->producer[found - keys->producer];
    rotated->key[0] = rotated->key[rotated->key_count - 1];
    rotated->key[1].epoch = (uint8_t)(rotated->key[0].epoch + 1);
    memcpy(rotated->key[1].bytes, bytes, SIPHASH_KEY_BYTES);
    rotated->key_count = 2;
    return RESULT_OK;
}

const char *keys_hex(const uint8_t bytes[SIPHASH_KEY_BYTES], char out[KEYS_HEX_SIZE_MAX])
{
    static const char digits[] = "0123456789abcdef";
    for (uint32_t i = 0; i < SIPHASH_KEY_BYTES; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[KEYS_HEX_SIZE_MAX - 1] = '\0';
    return out;
}

static size_t producer_print(const struct producer_keys *producer, char *out, size_t room)
{
    char from[PREFIX_TEXT_SIZE_MAX];
    char hex[KEYS_HEX_SIZE_MAX];
    size_t size = (size_t)snprintf(out, room, "  - producer: %" PRIu64 "\n", producer->producer);
    if (producer->from.bits > 0) {
        size += (size_t)snprintf(out + size, room - size, "    from: \"%s\"\n",
                                 prefix_text(&producer->from, from));
    }
    size += (size_t)snprintf(out + size, room - size, "    keys:\n");
    for (uint32_t i = 0; i < producer->key_count; i++) {
        const struct producer_key *key = &producer->key[i];
        size += (size_t)snprintf(out + size, room - size, "      - {epoch: %u, key: \"%s\"}\n",
                                 key->epoch, keys_hex(key->bytes, hex));
    }
    explicit_bzero(hex, sizeof(hex));
    return size;
}

static bool bytes_write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, data, size);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        data += written > 0 ? written : 0;
        size -= written > 0 ? (size_t)written : 0;
    }
    return true;
}

static bool text_write(int fd, const struct keys *keys)
{
    size_t room = HEAD_SIZE_MAX + (size_t)keys->producer_count * PRODUCER_SIZE_MAX;
    char *text = malloc(room);
    if (text == NULL) {
        return false;
    }
    size_t size =
        (size_t)snprintf(text, room,
                         "# Secret: keys of producers, for their owner's eyes only (chmod 600).\n"
                         "# `freshet keys` writes this file; docs/operating/keys.md explains it.\n"
                         "producers:\n");
    for (uint32_t i = 0; i < keys->producer_count; i++) {
        size += producer_print(&keys->producer[i], text + size, room - size);
    }
    bool written = bytes_write_all(fd, text, size);
    explicit_bzero(text, room);
    free(text);
    return written;
}

/* The rename itself is kept only when the folder is. */
static bool folder_sync(const char *path)
{
    char folder[CONFIG_PATH_SIZE_MAX] = ".";
    const char *slash = strrchr(path, '/');
    if (slash != NULL) {
        size_t size = slash == path ? 1 : (size_t)(slash - path);
        memcpy(folder, path, size);
        folder[size] = '\0';
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool synced = fsync(fd) == 0;
    (void)close(fd);
    return synced;
}

enum result keys_store(const char *path, const struct keys *keys, char error[KEYS_ERROR_SIZE_MAX])
{
    char beside[CONFIG_PATH_SIZE_MAX];
    int size = snprintf(beside, sizeof(beside), "%s.new", path);
    if (size < 0 || (size_t)size >= sizeof(beside)) {
        (void)snprintf(error, KEYS_ERROR_SIZE_MAX, "%.128s...: a path of more than %d bytes", path,
                       CONFIG_PATH_SIZE_MAX - 5);
        return RESULT_INVALID;
    }
    /* What an interrupted run left is in nobody's use. */
    (void)unlink(beside);
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, KEY_FILE_MODE);
    if (fd < 0) {
        goto fail;
    }
    /* The umask may have taken bits that the owner needs. */
    bool written = fchmod(fd, KEY_FILE_MODE) == 0 && text_write(fd, keys) && fsync(fd) == 0;
    if (close(fd) != 0 || !written) {
        goto fail;
    }
    if (rename(beside, path) != 0 || !folder_sync(path)) {
        goto fail;
    }
    return RESULT_OK;
fail:
    (void)snprintf(error, KEYS_ERROR_SIZE_MAX, "%s: cannot be written: %s", path, strerror(errno));
    (void)unlink(beside);
    return RESULT_SYSTEM;
}
