#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/users.h"
#include "controlplane/access.h"
#include "controlplane/address.h"
#include "controlplane/doctor.h"
#include "dataplane/base/units.h"
#include "drivers/memory.h"
#include "drivers/privileges.h"

static void memory_check(struct doctor *doctor)
{
    char path[PATH_MAX];
    char line[256];
    uint64_t available = 0;
    uint64_t wanted = doctor->config->options.state_memory_bytes;
    (void)snprintf(path, sizeof(path), "%s/proc/meminfo", doctor->root);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "MemAvailable:", 13) == 0) {
            available = strtoull(line + 13, NULL, 10) * KIB;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    if (available >= wanted) {
        doctor_add(doctor, DOCTOR_LEVEL_OK, "memory", "", "state.memory %llu MiB of %llu available",
                   (unsigned long long)(wanted / MIB), (unsigned long long)(available / MIB));
        return;
    }
    char fix[DOCTOR_TEXT_SIZE_MAX];
    (void)snprintf(fix, sizeof(fix), "set state: {memory: %lluMiB} in the definitions",
                   (unsigned long long)(available / 2 / MIB));
    doctor_add(doctor, DOCTOR_LEVEL_FAIL, "memory", fix, "state.memory %llu MiB, available %llu",
               (unsigned long long)(wanted / MIB), (unsigned long long)(available / MIB));
}

/* The kernel driver that a PCI device is bound to; "" for none. False: no such device. */
static bool device_driver(const struct doctor *doctor, const char *device, char driver[64])
{
    char path[PATH_MAX];
    char link[PATH_MAX];
    struct stat status;
    (void)snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s", doctor->root, device);
    driver[0] = '\0';
    if (stat(path, &status) != 0) {
        return false;
    }
    (void)snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s/driver", doctor->root, device);
    ssize_t size = readlink(path, link, sizeof(link) - 1);
    if (size > 0) {
        link[size] = '\0';
        const char *name = strrchr(link, '/');
        (void)snprintf(driver, 64, "%.63s", name == NULL ? link : name + 1);
    }
    return true;
}

static void device_check(struct doctor *doctor, const struct config_ingest *ingest)
{
    char driver[64];
    char fix[DOCTOR_TEXT_SIZE_MAX];
    (void)snprintf(fix, sizeof(fix),
                   "sudo modprobe vfio-pci && sudo dpdk-devbind.py --bind=vfio-pci %s",
                   ingest->device);
    if (!device_driver(doctor, ingest->device, driver)) {
        doctor_add(doctor, DOCTOR_LEVEL_FAIL, "nic", "dpdk-devbind.py --status-dev net",
                   "there is no PCI device %s", ingest->device);
    } else if (strcmp(driver, "vfio-pci") == 0 || strncmp(driver, "mlx5", 4) == 0) {
        doctor_add(doctor, DOCTOR_LEVEL_OK, "nic", "", "%s is bound to %s", ingest->device, driver);
    } else {
        doctor_add(doctor, DOCTOR_LEVEL_FAIL, "nic", fix, "%s is bound to %s, not to vfio-pci",
                   ingest->device, driver[0] == '\0' ? "nothing" : driver);
    }
}

/* True when the kernel would let us listen there now. */
static bool port_is_free(const char *address_text, int type)
{
    struct sockaddr_storage address;
    socklen_t size = 0;
    const int on = 1;
    if (address_from_text(address_text, &address, &size) != RESULT_OK) {
        return true;
    }
    int descriptor = socket(address.ss_family, type | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        return true;
    }
    if (type == SOCK_STREAM) {
        /* As every server does: connections that linger do not count. */
        (void)setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    }
    bool is_free =
        bind(descriptor, (const struct sockaddr *)&address, size) == 0 || errno != EADDRINUSE;
    (void)close(descriptor);
    return is_free;
}

static void port_check(struct doctor *doctor, const char *address, int type, bool server_runs)
{
    char fix[DOCTOR_TEXT_SIZE_MAX];
    const char *colon = strrchr(address, ':');
    const char *kind = type == SOCK_DGRAM ? "udp" : "tcp";
    if (address[0] == '\0' || colon == NULL) {
        return;
    }
    if (port_is_free(address, type)) {
        doctor_add(doctor, DOCTOR_LEVEL_OK, "port", "", "%s %s is free", kind, address);
    } else if (server_runs) {
        doctor_add(doctor, DOCTOR_LEVEL_OK, "port", "", "%s %s is in use, and an appliance runs",
                   kind, address);
    } else {
        (void)snprintf(fix, sizeof(fix), "sudo ss -l%cnp 'sport = %s'", kind[0], colon);
        doctor_add(doctor, DOCTOR_LEVEL_FAIL, "port", fix, "%s %s is in use by another process",
                   kind, address);
    }
}

static bool is_for_others(const char *address_text)
{
    struct sockaddr_storage address;
    socklen_t size = 0;
    return address_text[0] != '\0' &&
           address_from_text(address_text, &address, &size) == RESULT_OK &&
           !access_is_loopback((const struct sockaddr *)&address);
}

/* Whether those that an address is meant for may ask there. */
static void users_check(struct doctor *doctor)
{
    const struct config_options *options = &doctor->config->options;
    char error[USERS_ERROR_SIZE_MAX];
    struct users *users = heap_alloc(sizeof(*users));
    bool opens = is_for_others(options->query_tcp) || is_for_others(options->query_http);
    if (users == NULL) {
        return;
    }
    if (options->query_users[0] != '\0' &&
        users_load(options->query_users, users, error) != RESULT_OK) {
        doctor_add(doctor, DOCTOR_LEVEL_FAIL, "users",
                   "freshet user add NAME --role read --file FILE; chmod 600 FILE", "%s", error);
    } else if (options->query_users[0] != '\0') {
        doctor_add(doctor, DOCTOR_LEVEL_OK, "users", "", "%u in %s", users->count,
                   options->query_users);
    } else if (opens) {
        doctor_add(doctor, DOCTOR_LEVEL_WARN, "users",
                   "freshet user add NAME --role read --file users.yaml; query: {users: "
                   "users.yaml}",
                   "`query` listens for other machines, and denies them without users");
    }
    heap_free(users);
}

/* Who the appliance would be, were it started by who asks. */
static void privileges_check(struct doctor *doctor)
{
    char error[PRIVILEGES_ERROR_SIZE_MAX];
    struct privileges privileges;
    if (privileges_choose(doctor->config->options.user, false, &privileges, error) != RESULT_OK) {
        doctor_add(doctor, DOCTOR_LEVEL_FAIL, "privileges", "set `user` in the definitions", "%s",
                   error);
    } else if (privileges.is_root && !privileges.asked) {
        doctor_add(doctor, DOCTOR_LEVEL_WARN, "privileges",
                   "sudo useradd --system --user-group --no-create-home --shell "
                   "/usr/sbin/nologin " PRIVILEGES_USER_DEFAULT,
                   "the appliance would stay root: no user %s", PRIVILEGES_USER_DEFAULT);
    } else {
        doctor_add(doctor, DOCTOR_LEVEL_OK, "privileges", "", "the appliance runs as %s",
                   privileges.user);
    }
}

void doctor_check_needs(struct doctor *doctor, bool server_runs)
{
    const struct config_options *options = &doctor->config->options;
    memory_check(doctor);
    for (uint32_t i = 0; i < options->ingest_count; i++) {
        const struct config_ingest *ingest = &options->ingest[i];
        if (ingest->driver == CONFIG_DRIVER_ETHDEV && ingest->device[0] != '\0') {
            device_check(doctor, ingest);
        }
        if (ingest->driver == CONFIG_DRIVER_SOCKET) {
            port_check(doctor, ingest->listen, SOCK_DGRAM, server_runs);
        }
    }
    port_check(doctor, options->query_tcp, SOCK_STREAM, server_runs);
    port_check(doctor, options->query_http, SOCK_STREAM, server_runs);
    users_check(doctor);
    privileges_check(doctor);
}
