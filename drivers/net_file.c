/* A recorded or hand-made file of datagrams, mapped and handed out without a copy.
 *
 * Format: repeated { size u32 little-endian, size bytes of one datagram }, nothing else. A size of
 * 0 is an empty datagram; one above NET_DATAGRAM_SIZE_MAX comes out truncated, as from a network.
 * Queue 0 gets all of them, in file order, so that a run is the same for any number of queues. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/base/bytes.h"
#include "drivers/memory.h"
#include "drivers/net_driver.h"

struct file_queue {
    struct net_queue net;
    const uint8_t *at;
    const uint8_t *end;
};

struct file_port {
    struct net_port net;
    uint8_t *data; /* The mapping; NULL for an empty file. */
    uint64_t size_bytes;
    uint64_t datagram_count;
    char path[NET_ERROR_SIZE_MAX];
    struct file_queue queue[]; /* net.queue_count of them. */
};

static const struct file_port *port_of(const struct net_port *port)
{
    return (const struct file_port *)port;
}

static uint32_t size_read(const uint8_t *at)
{
    struct bytes_reader reader = bytes_reader_of(at, sizeof(uint32_t));
    return bytes_read_u32(&reader);
}

static void port_close(struct net_port *net)
{
    struct file_port *port = (struct file_port *)net;
    if (port->data != NULL) {
        munmap(port->data, port->size_bytes);
    }
    heap_free(port);
}

static struct net_queue *port_queue(struct net_port *net, uint32_t index)
{
    return &((struct file_port *)net)->queue[index].net;
}

static void port_describe(const struct net_port *net, char *out, uint32_t out_size)
{
    snprintf(out, out_size, "file %s, %lu datagrams", port_of(net)->path,
             port_of(net)->datagram_count);
}

static uint32_t queue_receive(struct net_queue *net, struct net_burst *burst)
{
    struct file_queue *queue = (struct file_queue *)net;
    uint32_t count = 0;
    while (count < NET_BURST_MAX && queue->at != queue->end) {
        uint32_t size = size_read(queue->at);
        bool truncated = size > NET_DATAGRAM_SIZE_MAX;
        burst->message[count++] = (struct net_message){
            .data = queue->at + sizeof(uint32_t),
            .size = truncated ? NET_DATAGRAM_SIZE_MAX : size,
            .truncated = truncated,
        };
        queue->at += sizeof(uint32_t) + size;
    }
    return net_burst_finish(net, burst, count);
}

static void queue_wait(struct net_queue *net, uint32_t timeout_us)
{
    const struct file_queue *queue = (const struct file_queue *)net;
    if (queue->at == queue->end) {
        net_sleep(timeout_us);
    }
}

static const struct net_operations file_operations = {
    .close = port_close,
    .queue = port_queue,
    .describe = port_describe,
    .receive = queue_receive,
    .wait = queue_wait,
};

/* Walks the sizes once, so that receiving needs no check. */
static enum result file_validate(struct file_port *port, char *error)
{
    uint64_t at = 0;
    while (at < port->size_bytes) {
        uint64_t left = port->size_bytes - at;
        if (left < sizeof(uint32_t) || size_read(port->data + at) > left - sizeof(uint32_t)) {
            net_error(error,
                      "%s: byte %lu: datagram %lu reaches past the end of the file; the "
                      "format is {u32 little-endian size, bytes} repeated",
                      port->path, at, port->datagram_count + 1);
            return RESULT_TRUNCATED;
        }
        at += sizeof(uint32_t) + size_read(port->data + at);
        port->datagram_count++;
    }
    return RESULT_OK;
}

static enum result file_map(struct file_port *port, char *error)
{
    int fd = open(port->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        net_error(error, "%s: cannot open: %s", port->path, strerror(errno));
        return errno == ENOENT ? RESULT_NOT_FOUND : RESULT_SYSTEM;
    }
    enum result result = RESULT_OK;
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        net_error(error, "%s: not a regular file; `path` names a file of datagrams", port->path);
        result = RESULT_INVALID;
    } else if (status.st_size > 0) {
        void *data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED) {
            net_error(error, "%s: cannot map: %s", port->path, strerror(errno));
            result = RESULT_SYSTEM;
        } else {
            port->data = data;
            port->size_bytes = (uint64_t)status.st_size;
        }
    }
    close(fd);
    return result;
}

enum result net_file_open(const struct net_options *options, struct net_port **out_port,
                          char error[NET_ERROR_SIZE_MAX])
{
    struct file_port *port =
        heap_alloc_lines(sizeof(*port) + options->queue_count * sizeof(port->queue[0]));
    if (port == NULL) {
        net_error(error, "%s: %s", options->path, result_name(RESULT_NO_MEMORY));
        return RESULT_NO_MEMORY;
    }
    port->net =
        (struct net_port){.operations = &file_operations, .queue_count = options->queue_count};
    snprintf(port->path, sizeof(port->path), "%s", options->path);
    enum result result = file_map(port, error);
    if (result == RESULT_OK) {
        result = file_validate(port, error);
    }
    if (result != RESULT_OK) {
        port_close(&port->net);
        return result;
    }
    for (uint32_t i = 0; i < options->queue_count; i++) {
        port->queue[i].net.operations = &file_operations;
    }
    port->queue[0].at = port->data;
    port->queue[0].end = port->data + port->size_bytes;
    *out_port = &port->net;
    return RESULT_OK;
}
