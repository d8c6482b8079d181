/* DPDK's environment, of which a process has one. With hugepages: kept in memory only. Without: a
 * fixed pool of ordinary pages, no PCI, which is enough for every virtual port. */
#pragma once

#include <stdbool.h>

#include "dataplane/base/result.h"
#include "drivers/net.h"

/* Once per process; later calls return what the first did. Not from a polling thread: DPDK's
 * control threads start here, on the cores that the caller may use (cpu_move_helpers() after it).
 * The caller's own affinity stays as it was. On failure error says what to do. */
MUST_USE enum result eal_open(char error[NET_ERROR_SIZE_MAX]);
/* At the end of the process, after the ports; DPDK cannot be opened again. Fine when it never
 * was. */
void eal_close(void);
bool eal_has_hugepages(void);
/* One line for banner and status: version, pages, pool; or that DPDK is not open. */
const char *eal_describe(void);
