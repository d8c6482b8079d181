/* What hyparquet reads of a file, as JSON: cells as parquet_table.c takes them, decimals without
 * their point, and the statistics of each row group. With a second file: parquet-wasm (arrow-rs)
 * reads the first and writes it there with its own writer. */
import fs from "node:fs";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { decompress } from "fzstd";
import { Table, readParquet, writeParquet } from "parquet-wasm";

const [path, copy] = process.argv.slice(2);
const parsers = {
  timestampFromMicroseconds: (micros) => micros,
  stringFromBytes: (bytes) => bytes && Buffer.from(bytes),
};

function numberOf(bytes) {
  let value = 0n;
  for (const byte of bytes) {
    value = value * 256n + BigInt(byte);
  }
  return BigInt.asIntN(8 * bytes.length, value);
}

function cellOf(value, element) {
  if (value === null || value === undefined) {
    return "-";
  }
  if (element.type === "BYTE_ARRAY") {
    return "x" + Buffer.from(value).toString("hex");
  }
  if (element.type === "FIXED_LEN_BYTE_ARRAY") {
    return String(numberOf(value));
  }
  if (element.type === "DOUBLE") {
    const bits = Buffer.alloc(8);
    bits.writeDoubleBE(value);
    return bits.toString("hex");
  }
  return element.type === "BOOLEAN" ? String(Number(value)) : String(value);
}

const bytes = fs.readFileSync(path);
const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
const metadata = parquetMetadata(file, { parsers });
const elements = metadata.schema.slice(1);
const types = elements.map((element) => ({ ...element }));
for (const element of elements) {
  /* Decimals come as doubles otherwise. */
  if (element.converted_type === "DECIMAL") {
    delete element.converted_type;
    delete element.logical_type;
  }
}
const rows = await parquetReadObjects({
  file, metadata, parsers, utf8: false,
  compressors: { ZSTD: (input, size) => decompress(input, new Uint8Array(size)) },
});
const groups = metadata.row_groups.map((group) => ({
  rows: Number(group.num_rows),
  columns: group.columns.map((column) => ({
    nulls: Number(column.meta_data.statistics.null_count),
    values: Number(column.meta_data.num_values),
    codec: column.meta_data.codec,
  })),
}));
console.log(JSON.stringify({
  types, groups, rows: Number(metadata.num_rows), pairs: metadata.key_value_metadata,
  cells: rows.map((row) => elements.map((element) => cellOf(row[element.name], element))),
}, (name, value) => typeof value === "bigint" ? String(value) : value));
if (copy !== undefined) {
  const table = readParquet(bytes);
  fs.writeFileSync(copy, writeParquet(Table.fromIPCStream(table.intoIPCStream())));
}
