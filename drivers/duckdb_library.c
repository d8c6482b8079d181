#include "drivers/duckdb_library.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LIBRARY_NAME "libduckdb.so"
/* Where set-up puts it, under the folder of the sources. */
#define LIBRARY_INSTALLED "tests/clients/node_modules/@duckdb/node-bindings-linux-x64/" LIBRARY_NAME
/* The program may stand so deep in a build folder. */
#define FOLDERS_UP_MAX 4u

/* Nearest installed one above the folder of the program; false: there is none. */
static bool installed_find(char out_path[PATH_MAX])
{
    char folder[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", folder, sizeof(folder) - 1);
    folder[size < 0 ? 0 : size] = '\0';
    for (uint32_t up = 0; up <= FOLDERS_UP_MAX; up++) {
        char *slash = strrchr(folder, '/');
        if (slash == NULL) {
            return false;
        }
        *slash = '\0';
        int needed = snprintf(out_path, PATH_MAX, "%s/%s", folder, LIBRARY_INSTALLED);
        if (needed < PATH_MAX && access(out_path, R_OK) == 0) {
            return true;
        }
    }
    return false;
}

/* The first place that is set, or there; path is room for it. */
static const char *place_find(char path[PATH_MAX])
{
    const char *named = getenv("FRESHET_DUCKDB");
    if (named != NULL && named[0] != '\0') {
        return named;
    }
    return installed_find(path) ? path : LIBRARY_NAME;
}

static enum result functions_find(void *handle, const char *place,
                                  struct duckdb_library *out_library,
                                  char error[DUCKDB_ERROR_SIZE_MAX])
{
    struct duckdb_library library;
    const char *missing = NULL;
    void *address;
#define DUCKDB_FUNCTION(result, name, arguments)                                                   \
    address = dlsym(handle, "duckdb_" #name);                                                      \
    missing = address == NULL && missing == NULL ? #name : missing;                                \
    memcpy(&library.name, &address, sizeof(address));
#include "drivers/duckdb_functions.def"
#undef DUCKDB_FUNCTION
    if (missing != NULL) {
        (void)snprintf(
            error, DUCKDB_ERROR_SIZE_MAX,
            "%.400s has no duckdb_%s(); the libduckdb.so of DuckDB 1.3 or newer is wanted", place,
            missing);
        return RESULT_UNSUPPORTED;
    }
    unsigned major = 0;
    unsigned minor = 0;
    const char *version = library.library_version();
    int read = sscanf(version, "v%u.%u", &major, &minor);
    if (read != 2 || major < 1 || (major == 1 && minor < 3)) {
        (void)snprintf(error, DUCKDB_ERROR_SIZE_MAX,
                       "%.400s is DuckDB %.32s; 1.3 or newer is wanted", place, version);
        return RESULT_UNSUPPORTED;
    }
    *out_library = library;
    return RESULT_OK;
}

enum result duckdb_library_load(struct duckdb_library *out_library,
                                char error[DUCKDB_ERROR_SIZE_MAX])
{
    char path[PATH_MAX];
    const char *place = place_find(path);
    void *handle = dlopen(place, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        (void)snprintf(error, DUCKDB_ERROR_SIZE_MAX,
                       "needs DuckDB, and %.400s; looked for are the file that FRESHET_DUCKDB "
                       "names, %s above the folder of this program, and %s where the system keeps "
                       "its libraries; `npm ci` in tests/clients gets it, as `make setup` does",
                       dlerror(), LIBRARY_INSTALLED, LIBRARY_NAME);
        return RESULT_NOT_FOUND;
    }
    return functions_find(handle, place, out_library, error);
}
