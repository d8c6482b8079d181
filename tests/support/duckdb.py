"""DuckDB through its C library, which tests/clients/package-lock.json brings: for the SQL that
Freshet writes. Values come back as text, as DuckDB prints them, doubles as float, null as None."""

import ctypes
import pathlib

LIBRARY = (pathlib.Path(__file__).parents[1] / "clients" / "node_modules" / "@duckdb"
           / "node-bindings-linux-x64" / "libduckdb.so")
HANDLE, SUCCESS = ctypes.c_void_p, 0
TYPE_DOUBLE = 11  # DUCKDB_TYPE_DOUBLE of duckdb.h.


class Result(ctypes.Structure):
    """duckdb_result: three counts and three pointers that belong to DuckDB."""
    _fields_ = [("counts", ctypes.c_uint64 * 3), ("pointers", ctypes.c_void_p * 3)]


class Error(Exception):
    """What DuckDB says is wrong."""


def is_here():
    return LIBRARY.exists()


def missing():
    return f"needs DuckDB: npm ci in tests/clients ({LIBRARY.name})"


def library_load():
    library = ctypes.CDLL(str(LIBRARY))
    place = [ctypes.POINTER(Result), ctypes.c_uint64, ctypes.c_uint64]
    for name, result, arguments in [
            ("duckdb_library_version", ctypes.c_char_p, []),
            ("duckdb_column_count", ctypes.c_uint64, [ctypes.POINTER(Result)]),
            ("duckdb_column_name", ctypes.c_char_p, [ctypes.POINTER(Result), ctypes.c_uint64]),
            ("duckdb_column_type", ctypes.c_int, [ctypes.POINTER(Result), ctypes.c_uint64]),
            ("duckdb_row_count", ctypes.c_uint64, [ctypes.POINTER(Result)]),
            ("duckdb_result_error", ctypes.c_char_p, [ctypes.POINTER(Result)]),
            ("duckdb_prepare_error", ctypes.c_char_p, [HANDLE]),
            ("duckdb_value_is_null", ctypes.c_bool, place),
            ("duckdb_value_varchar", HANDLE, place),
            ("duckdb_free", None, [HANDLE]),
            ("duckdb_bind_varchar", ctypes.c_int, [HANDLE, ctypes.c_uint64, ctypes.c_char_p])]:
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class Database:
    """An empty database in memory."""

    def __init__(self):
        self.library = library_load()
        self.database, self.connection = HANDLE(), HANDLE()
        if (self.library.duckdb_open(None, ctypes.byref(self.database)) != SUCCESS or
                self.library.duckdb_connect(self.database, ctypes.byref(self.connection))
                != SUCCESS):
            raise Error("no database in memory")

    def version(self):
        return self.library.duckdb_library_version().decode()

    def close(self):
        self.library.duckdb_disconnect(ctypes.byref(self.connection))
        self.library.duckdb_close(ctypes.byref(self.database))

    def query(self, text, **parameters):
        """Rows as lists. parameters: values of $name."""
        return self.table(text, **parameters)[1]

    def table(self, text, **parameters):
        """(names of columns, rows)."""
        result = Result()
        if parameters:
            good = self.execute(text, parameters, result)
        else:
            good = self.library.duckdb_query(self.connection, text.encode(),
                                             ctypes.byref(result)) == SUCCESS
        try:
            if not good:
                raise Error(self.library.duckdb_result_error(ctypes.byref(result)).decode())
            return self.rows_of(ctypes.byref(result))
        finally:
            self.library.duckdb_destroy_result(ctypes.byref(result))

    def execute(self, text, parameters, result):
        statement = HANDLE()
        try:
            if self.library.duckdb_prepare(self.connection, text.encode(),
                                           ctypes.byref(statement)) != SUCCESS:
                raise Error(self.library.duckdb_prepare_error(statement).decode())
            for name, value in parameters.items():
                index = ctypes.c_uint64()
                if self.library.duckdb_bind_parameter_index(
                        statement, ctypes.byref(index), name.encode()) != SUCCESS:
                    raise Error(f"no parameter ${name}")
                if value is None:
                    self.library.duckdb_bind_null(statement, index)
                else:
                    self.library.duckdb_bind_varchar(statement, index, str(value).encode())
            return self.library.duckdb_execute_prepared(statement, ctypes.byref(result)) == SUCCESS
        finally:
            self.library.duckdb_destroy_prepare(ctypes.byref(statement))

    def value_of(self, result, column, row):
        if self.library.duckdb_value_is_null(result, column, row):
            return None
        text = self.library.duckdb_value_varchar(result, column, row)
        if text is None:
            raise Error("a value of a type that the C library does not print; CAST it to VARCHAR")
        try:
            value = ctypes.string_at(text).decode()
            is_double = self.library.duckdb_column_type(result, column) == TYPE_DOUBLE
            return float(value) if is_double else value
        finally:
            self.library.duckdb_free(text)

    def rows_of(self, result):
        columns = range(self.library.duckdb_column_count(result))
        names = [self.library.duckdb_column_name(result, c).decode() for c in columns]
        return names, [[self.value_of(result, c, row) for c in columns]
                       for row in range(self.library.duckdb_row_count(result))]


def quoted(text):
    """A string as a literal of SQL."""
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"
