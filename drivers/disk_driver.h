/* What a driver of disk.h is made of: tables of functions, and disks, files and queues that begin
 * with the structs here. Only drivers include it. Names were checked before a driver sees them. */
#pragma once

#include <stdarg.h>
#include <stdio.h>

#include "drivers/disk.h"

/* What a folder holds, in any order; disk.c sorts and shows it. */
struct disk_listing {
    struct disk_listing_entry {
        char name[DISK_NAME_SIZE_MAX];
        uint64_t size;
    } * entry;
    uint32_t count;
    uint32_t capacity;
};

struct disk_operations {
    void (*close)(struct disk *disk); /* Accepts half-opened disks. */
    void (*describe)(const struct disk *disk, char *out, uint32_t out_size);
    bool (*is_fallback)(const struct disk *disk);
    enum result (*lock)(struct disk *disk);
    enum result (*space)(struct disk *disk, uint64_t *out_free, uint64_t *out_all);
    enum result (*rename)(struct disk *disk, const char *from, const char *to);
    enum result (*remove)(struct disk *disk, const char *name);
    enum result (*folder_make)(struct disk *disk, const char *name);
    enum result (*folder_sync)(struct disk *disk, const char *folder);
    enum result (*folder_list)(struct disk *disk, const char *folder, struct disk_listing *out);
    enum result (*file_open)(struct disk *disk, const char *name, enum disk_mode mode,
                             struct disk_file **out_file);
    enum result (*queue_open)(struct disk *disk, const struct disk_queue_options *options,
                              struct disk_queue **out_queue);
};

struct disk_file_operations {
    void (*close)(struct disk_file *file);
    enum result (*fill)(struct disk_file *file, uint64_t size);
    enum result (*size)(struct disk_file *file, uint64_t *out_size);
    enum result (*read)(struct disk_file *file, uint64_t offset, void *data, uint64_t size,
                        uint64_t *out_read);
    enum result (*write)(struct disk_file *file, uint64_t offset, const void *data, uint64_t size);
    enum result (*sync)(struct disk_file *file);
};

struct disk_queue_operations {
    void (*close)(struct disk_queue *queue);
    bool (*write)(struct disk_queue *queue, struct disk_file *file, uint32_t buffer,
                  const void *data, uint32_t size, uint64_t offset, uint64_t tag);
    bool (*poll)(struct disk_queue *queue, struct disk_completion *out_completion);
};

struct disk {
    const struct disk_operations *operations;
};

struct disk_file {
    const struct disk_file_operations *operations;
};

/* Owner: its worker. */
struct disk_queue {
    const struct disk_queue_operations *operations;
    struct disk_queue_options options;
    bool is_busy; /* A write is under way: submitted, its end not yet polled. */
};

__attribute__((format(printf, 2, 3))) static inline void disk_error(char error[DISK_ERROR_SIZE_MAX],
                                                                    const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, DISK_ERROR_SIZE_MAX, format, arguments);
    va_end(arguments);
}

MUST_USE enum result disk_listing_push(struct disk_listing *listing, const char *name,
                                       uint64_t size);

MUST_USE enum result disk_files_open(const struct disk_options *options, struct disk **out_disk,
                                     char error[DISK_ERROR_SIZE_MAX]);
MUST_USE enum result disk_simulated_open(const struct disk_options *options, struct disk **out_disk,
                                         char error[DISK_ERROR_SIZE_MAX]);
