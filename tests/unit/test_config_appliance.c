/* `appliance:` and what is wrong in it. */
#include "tests/unit/config_rows.h"

static const struct config_row rows[] = {
    {"a socket for nobody",
     "appliance:\n"
     "  query: {unix_mode: 0060}\n" STREAM_S,
     "f:2:22: `unix_mode` is `0060`; a file mode that lets the owner read and write is allowed, as "
     "\"0660\" or \"0600\"\n"},
    {"a mode of a wrong digit",
     "appliance:\n"
     "  query: {unix_mode: \"0680\"}\n" STREAM_S,
     "f:2:22: `unix_mode` is `0680`; a file mode that lets the owner read and write is allowed, as "
     "\"0660\" or \"0600\"\n"},
    {"a mode of four digits",
     "appliance:\n"
     "  query: {unix_mode: 1660}\n" STREAM_S,
     "f:2:22: `unix_mode` is `1660`; a file mode that lets the owner read and write is allowed, as "
     "\"0660\" or \"0600\"\n"},
    {"modes that are taken",
     "appliance:\n"
     "  query: {unix_mode: 600, users: users.yaml}\n"
     "  user: freshet\n" STREAM_S,
     ""},
    {"a user of too many characters",
     "appliance:\n"
     "  user: abcdefghijklmnopqrstuvwxyz0123456\n" STREAM_S,
     "f:2:9: `user` has 33 bytes; 1 to 32 are allowed\n"},
    {"shards",
     "appliance:\n"
     "  shards: 65\n" STREAM_S,
     "f:2:11: `shards` is `65`; a whole number from 1 to 64 is allowed\n"},
    {"shards 0",
     "appliance:\n"
     "  shards: 0\n" STREAM_S,
     "f:2:11: `shards` is `0`; a whole number from 1 to 64 is allowed\n"},
    {"shards, a word",
     "appliance:\n"
     "  shards: all\n" STREAM_S,
     "f:2:11: `shards` is `all`; auto, or a whole number from 1 to 64 is allowed\n"},
    {"shards, a map",
     "appliance:\n"
     "  shards: {n: 1}\n" STREAM_S,
     "f:2:11: `shards` is one value, not a map\n"},
    {"idle",
     "appliance:\n"
     "  idle: slep\n" STREAM_S,
     "f:2:9: `idle` is `slep`; did you mean `sleep`? allowed: poll, sleep\n"},
    {"ingest, a map",
     "appliance:\n"
     "  ingest: {driver: socket}\n" STREAM_S,
     "f:2:11: `ingest` is a list of sources, as - {driver: socket, listen: \"127.0.0.1:4700\"}\n"},
    {"ingest, empty",
     "appliance:\n"
     "  ingest: []\n" STREAM_S,
     "f:2:11: `ingest` is a list of sources, as - {driver: socket, listen: \"127.0.0.1:4700\"}\n"},
    {"ingest, nine",
     "appliance:\n"
     "  ingest: [a, b, c, d, e, f, g, h, i]\n" STREAM_S,
     "f:2:11: `ingest` has 9 entries; at most 8 are allowed\n"},
    {"ingest, a word",
     "appliance:\n"
     "  ingest: [socket]\n" STREAM_S,
     "f:2:12: an entry of `ingest` is a map of `key: value` lines\n"},
    {"ingest without driver",
     "appliance:\n"
     "  ingest:\n"
     "    - {listen: \"127.0.0.1:4700\"}\n" STREAM_S,
     "f:3:7: an entry of `ingest` needs `driver`; allowed: socket, ethdev, file\n"},
    {"a wrong driver",
     "appliance:\n"
     "  ingest:\n"
     "    - {driver: sockte}\n" STREAM_S,
     "f:3:16: `driver` is `sockte`; did you mean `socket`? allowed: socket, ethdev, file\n"},
    {"socket without listen",
     "appliance:\n"
     "  ingest:\n"
     "    - {driver: socket}\n" STREAM_S,
     "f:3:7: driver socket needs `listen`, as \"127.0.0.1:4700\"\n"},
    {"listen without port",
     "appliance:\n"
     "  ingest:\n"
     "    - {driver: socket, listen: 127.0.0.1}\n" STREAM_S,
     "f:3:32: `listen` is `127.0.0.1`; an address with a port is allowed, as \"127.0.0.1:4700\" "
     "or \"[::1]:4700\" (numbers, no host names)\n"},
    {"listen on a name",
     "appliance:\n"
     "  ingest:\n"
     "    - {driver: socket, listen: \"localhost:4700\"}\n" STREAM_S,
     "f:3:32: `listen` is `localhost:4700`; an address with a port is allowed, as "
     "\"127.0.0.1:4700\" or \"[::1]:4700\" (numbers, no host names)\n"},
    {"listen on a bad port",
     "appliance:\n"
     "  ingest:\n"
     "    - {driver: socket, listen: \"127.0.0.1:65536\"}\n" STREAM_S,
     "f:3:32: `listen` is `127.0.0.1:65536`; an address with a port is allowed, as "
     "\"127.0.0.1:4700\" or \"[::1]:4700\" (numbers, no host names)\n"},
    {"listen, port with a tail",
     "appliance:\n"
     "  ingest:\n"
     "    - {driver: socket, listen: \"127.0.0.1:1x\"}\n" STREAM_S,
     "f:3:32: `listen` is `127.0.0.1:1x`; an address with a port is allowed, as "
     "\"127.0.0.1:4700\" or \"[::1]:4700\" (numbers, no host names)\n"},
    {"listen, brackets around nothing",
     "appliance:\n"
     "  ingest:\n"
     "    - {driver: socket, listen: \"[]:1\"}\n" STREAM_S,
     "f:3:32: `listen` is `[]:1`; an address with a port is allowed, as \"127.0.0.1:4700\" or "
     "\"[::1]:4700\" (numbers, no host names)\n"},
    {"listen, brackets that do not end",
     "appliance:\n"
     "  ingest:\n"
     "    - {driver: socket, listen: \"[::1:1\"}\n" STREAM_S,
     "f:3:32: `listen` is `[::1:1`; an address with a port is allowed, as \"127.0.0.1:4700\" or "
     "\"[::1]:4700\" (numbers, no host names)\n"},
    {"listen for everyone",
     "appliance:\n"
     "  ingest:\n"
     "    - {driver: socket, listen: \"0.0.0.0:4700\"}\n"
     "    - {driver: socket, listen: \"[::]:4700\"}\n" STREAM_S,
     "f:3:32: other machines can send to this listener: it needs `auth: keys.yaml` (see `freshet "
     "keys`), or `auth: none` with `allow: [PREFIX...]`; or listen on 127.0.0.1 or [::1]\n"
     "f:4:32: other machines can send to this listener: it needs `auth: keys.yaml` (see `freshet "
     "keys`), or `auth: none` with `allow: [PREFIX...]`; or listen on 127.0.0.1 or [::1]\n"},
    {"ethdev without auth",
     "appliance:\n"
     "  ingest:\n"
     "    - {driver: ethdev, vdev: n, address: 192.0.2.1/24, port: 1}\n" STREAM_S,
     "f:3:7: other machines can send to this listener: it needs `auth: keys.yaml` (see `freshet "
     "keys`), or `auth: none` with `allow: [PREFIX...]`\n"},
    {"auth: none without prefixes",
     "appliance:\n"
     "  ingest:\n"
     "    - {driver: socket, listen: \"0.0.0.0:4700\", auth: none}\n" STREAM_S,
     "f:3:54: `auth: none` needs `allow: [PREFIX...]`, as [192.0.2.0/24]\n"},
    {"prefixes beside a key file, and without auth",
     "appliance:\n"
     "  ingest:\n"
     "    - {driver: socket, listen: \"0.0.0.0:4700\", auth: k, allow: [192.0.2.0/24]}\n"
     "    - {driver: socket, listen: \"[::1]:4800\", allow: [192.0.2.0/24]}\n" STREAM_S,
     "f:3:57: `allow` belongs to `auth: none`; a key file has `from`\n"
     "f:4:46: `allow` belongs to `auth: none`; a key file has `from`\n"},
    {"prefixes that are none",
     "appliance:\n"
     "  ingest:\n"
     "    - {driver: socket, listen: \"0.0.0.0:1\", auth: none, allow: []}\n"
     "    - {driver: socket, listen: \"0.0.0.0:2\", auth: none, allow: 192.0.2.0/24}\n"
     "    - {driver: socket, listen: \"0.0.0.0:3\", auth: none, allow: [192.0.2.1/24, [], x]}\n"
     "    - {driver: socket, listen: \"0.0.0.0:4\", auth: none, allow: [1.1.1.1, 1.1.1.1, 1.1.1.1, "
     "1.1.1.1, 1.1.1.1, 1.1.1.1, 1.1.1.1, 1.1.1.1, 1.1.1.1, 1.1.1.1, 1.1.1.1, 1.1.1.1, 1.1.1.1, "
     "1.1.1.1, 1.1.1.1, 1.1.1.1, 1.1.1.1]}\n" STREAM_S,
     "f:3:64: `allow` is a list of 1 to 16 prefixes, as [192.0.2.0/24]\n"
     "f:4:64: `allow` is a list of 1 to 16 prefixes, as [192.0.2.0/24]\n"
     "f:5:65: `allow` is `192.0.2.1/24`; an address with its prefix is allowed, the bits behind it "
     "zero, as 192.0.2.0/24 or \"2001:db8::/32\"\n"
     "f:5:79: `allow` is one value, not a list\n"
     "f:5:83: `allow` is `x`; an address with its prefix is allowed, the bits behind it zero, as "
     "192.0.2.0/24 or \"2001:db8::/32\"\n"
     "f:6:64: `allow` is a list of 1 to 16 prefixes, as [192.0.2.0/24]\n"},
    {"auth, a list, and a stream beside a key file",
     "appliance:\n"
     "  ingest:\n"
     "    - {driver: socket, listen: \"0.0.0.0:4700\", auth: []}\n"
     "    - {driver: socket, listen: \"0.0.0.0:4700\", auth: keys.yaml, stream: s}\n" STREAM_S,
     "f:3:54: `auth` is one value, not a list\n"
     "f:4:65: `stream` is for text, which carries no tag: a listener with `auth` takes none\n"},
    {"listen near the last port",
     "appliance:\n"
     "  ingest:\n"
     "    - {driver: socket, listen: \"127.0.0.1:65500\"}\n" STREAM_S,
     "f:3:32: port 65500 leaves no room for the ports of the shards (port + 1 and up); at most "
     "65471 is allowed\n"},
    {"listen, empty",
     "appliance:\n"
     "  ingest:\n"
     "    - {driver: socket, listen: \"\"}\n" STREAM_S,
     "f:3:32: `listen` has 0 bytes; 1 to 255 are allowed\n"},
    {"a stream that is none",
     "appliance:\n"
     "  ingest:\n"
     "    - {driver: socket, listen: \"127.0.0.1:4700\", stream: q}\n" STREAM_S,
     "f:3:58: `stream` is `q`, which is no stream\n"},
    {"a stream list",
     "appliance:\n"
     "  ingest:\n"
     "    - {driver: socket, listen: \"127.0.0.1:4700\", stream: [s]}\n" STREAM_S,
     "f:3:58: `stream` is one value, not a list\n"},
    {"keys of another driver",
     "appliance:\n"
     "  ingest:\n"
     "    - {driver: socket, listen: \"127.0.0.1:4700\", vdev: net_null0, path: x}\n"
     "    - {driver: file, path: x, port: 1}\n" STREAM_S,
     "f:3:50: `vdev` belongs to driver ethdev; this entry is driver socket\n"
     "f:3:67: `path` belongs to driver file; this entry is driver socket\n"
     "f:4:31: `port` belongs to driver ethdev; this entry is driver file\n"},
    {"ethdev with nothing",
     "appliance:\n"
     "  ingest:\n"
     "    - {driver: ethdev, auth: k}\n" STREAM_S,
     "f:3:7: driver ethdev needs `address`, as 192.0.2.10/24\n"
     "f:3:7: driver ethdev needs `device`, as \"0000:3b:00.0\", or `vdev`, as "
     "\"net_af_packet0,iface=eth1\"\n"
     "f:3:7: driver ethdev needs `port`, as 4700\n"},
    {"ethdev with two ports",
     "appliance:\n"
     "  ingest:\n"
     "    - {driver: ethdev, device: \"0000:3b:00.0\", vdev: net_null0, address: 192.0.2.1/24, "
     "port: 4700, auth: k}\n" STREAM_S,
     "f:3:48: `device` and `vdev` in one entry; one of them is allowed\n"},
    {"ethdev with bad values",
     "appliance:\n"
     "  ingest:\n"
     "    - {driver: ethdev, vdev: [], address: 192.0.2.1, port: 0, auth: k}\n"
     "    - {driver: ethdev, device: {}, address: 192.0.2.1/33, port: 65500, auth: k}\n"
     "    - {driver: ethdev, vdev: n, address: 192.0.2/24, port: x, auth: k}\n"
     "    - {driver: ethdev, vdev: n, address: [], port: 1, auth: k}\n" STREAM_S,
     "f:3:30: `vdev` is one value, not a list\n"
     "f:3:43: `address` is `192.0.2.1`; an IPv4 address with its prefix is allowed, as "
     "192.0.2.10/24\n"
     "f:3:60: `port` is `0`; a whole number from 1 to 65471 is allowed\n"
     "f:4:32: `device` is one value, not a map\n"
     "f:4:45: `address` is `192.0.2.1/33`; an IPv4 address with its prefix is allowed, as "
     "192.0.2.10/24\n"
     "f:4:65: `port` is `65500`; a whole number from 1 to 65471 is allowed\n"
     "f:5:42: `address` is `192.0.2/24`; an IPv4 address with its prefix is allowed, as "
     "192.0.2.10/24\n"
     "f:5:60: `port` is `x`; a whole number from 1 to 65471 is allowed\n"
     "f:6:42: `address` is one value, not a list\n"},
    {"file without path",
     "appliance:\n"
     "  ingest:\n"
     "    - {driver: file}\n" STREAM_S,
     "f:3:7: driver file needs `path`, as events.fe\n"},
    {"query",
     "appliance:\n"
     "  query: {tcp: \"6380\", http: localhost, unix: [], udp: 1}\n" STREAM_S,
     "f:2:16: `tcp` is `6380`; an address with a port is allowed, as \"127.0.0.1:4700\" or "
     "\"[::1]:4700\" (numbers, no host names)\n"
     "f:2:30: `http` is `localhost`; an address with a port is allowed, as \"127.0.0.1:4700\" or "
     "\"[::1]:4700\" (numbers, no host names)\n"
     "f:2:47: `unix` is one value, not a list\n"
     "f:2:51: `udp` is no key of `query`; allowed: unix, tcp, http, "
     "unix_mode, users\n"},
    {"query, a word",
     "appliance:\n"
     "  query: yes\n" STREAM_S,
     "f:2:10: `query` is a map of `key: value` lines\n"},
    {"query, a long socket path",
     "appliance:\n"
     "  query: {unix: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}\n" STREAM_S,
     "f:2:17: `unix` has 108 bytes; 1 to 107 are allowed\n"},
    {"state",
     "appliance:\n"
     "  state: {memory: 2GB, lanes: 0}\n" STREAM_S,
     "f:2:19: `memory` is `2GB`; a whole number with a unit KiB, MiB, GiB or TiB is allowed, as "
     "2GiB\n"
     "f:2:31: `lanes` is `0`; a whole number from 1 to 1048576 is allowed\n"},
    {"state, too little",
     "appliance:\n"
     "  state: {memory: 1MiB, lanes: 1048577}\n" STREAM_S,
     "f:2:19: `memory` is `1MiB`; 16MiB to 64TiB is allowed\n"
     "f:2:32: `lanes` is `1048577`; a whole number from 1 to 1048576 is allowed\n"},
    {"state, too much",
     "appliance:\n"
     "  state: {memory: 65TiB}\n" STREAM_S,
     "f:2:19: `memory` is `65TiB`; 16MiB to 64TiB is allowed\n"},
    {"state, too little for so many shards",
     "appliance:\n"
     "  shards: 64\n"
     "  state: {memory: 1023MiB}\n" STREAM_S,
     "f:2:11: 64 shards share `memory` of 1023MiB; at least 1024MiB is allowed, 16MiB each\n"},
    {"state, beyond 64 bits",
     "appliance:\n"
     "  state: {memory: 99999999999999999999GiB, lanes: 99999999999999999999}\n" STREAM_S,
     "f:2:19: `memory` is `99999999999999999999GiB`; a whole number with a unit KiB, MiB, GiB or "
     "TiB is allowed, as 2GiB\n"
     "f:2:51: `lanes` is `99999999999999999999`; a whole number from 1 to 1048576 is allowed\n"},
    {"data",
     "appliance:\n"
     "  data: {directory: \"\"}\n" STREAM_S,
     "f:2:21: `directory` has 0 bytes; 1 to 255 are allowed\n"},
    {"data without directory",
     "appliance:\n"
     "  data: {ack: durable, checkpoint: 10s, mirror: {keep: 7d}}\n" STREAM_S,
     "f:2:10: `ack` needs a folder to keep data in; add `directory` to `data`, as directory: "
     "var/freshet\n"
     "f:2:24: `checkpoint` needs a folder to keep data in; add `directory` to `data`, as "
     "directory: var/freshet\n"
     "f:2:41: `mirror` needs a folder to keep data in; add `directory` to `data`, as directory: "
     "var/freshet\n"},
    {"data, bad values",
     "appliance:\n"
     "  data: {directory: d, ack: durabel, checkpoint: 10, mirror: 7d}\n" STREAM_S,
     "f:2:29: `ack` is `durabel`; did you mean `durable`? allowed: none, durable\n"
     "f:2:50: `checkpoint` is `10`; a whole number with a unit us, ms, s, m, h or d is allowed, "
     "as 10m\n"
     "f:2:62: `mirror` is a map of `key: value` lines\n"},
    {"checkpoint, too often",
     "appliance:\n"
     "  data: {directory: d, checkpoint: 99ms}\n" STREAM_S,
     "f:2:36: `checkpoint` is `99ms`; 100ms to 1h is allowed\n"},
    {"checkpoint, too rare",
     "appliance:\n"
     "  data: {directory: d, checkpoint: 61m}\n" STREAM_S,
     "f:2:36: `checkpoint` is `61m`; 100ms to 1h is allowed\n"},
    {"mirror, below its limits",
     "appliance:\n"
     "  data: {directory: d, mirror: {keep: 59s, bytes: 3MiB, segment: 1020KiB, size: "
     "1}}\n" STREAM_S,
     "f:2:39: `keep` is `59s`; 1m to 3650d is allowed\n"
     "f:2:51: `bytes` is `3MiB`; 4MiB to 1024TiB is allowed\n"
     "f:2:66: `segment` is `1020KiB`; 1MiB to 1GiB is allowed\n"
     "f:2:75: `size` is no key of `mirror`; allowed: keep, bytes, archive, lake, segment\n"},
    {"mirror, above its limits",
     "appliance:\n"
     "  data: {directory: d, mirror: {keep: 3651d, bytes: 1025TiB, segment: 1025MiB}}\n" STREAM_S,
     "f:2:39: `keep` is `3651d`; 1m to 3650d is allowed\n"
     "f:2:53: `bytes` is `1025TiB`; 4MiB to 1024TiB is allowed\n"
     "f:2:71: `segment` is `1025MiB`; 1MiB to 1GiB is allowed\n"},
    {"a segment of no whole blocks",
     "appliance:\n"
     "  data: {directory: d, mirror: {segment: 1025KiB}}\n" STREAM_S,
     "f:2:42: `segment` is `1025KiB`; whole multiples of 4KiB are allowed\n"},
    {"a mirror of too few segments",
     "appliance:\n"
     "  data: {directory: d, mirror: {bytes: 1023MiB}}\n" STREAM_S,
     "f:2:9: `bytes` of `mirror` is 1023MiB; at least 1GiB is allowed, 4 segments of 256MiB for "
     "each shard\n"},
    {"a mirror of too few segments for so many shards",
     "appliance:\n"
     "  shards: 51\n"
     "  state: {memory: 1GiB}\n"
     "  data: {directory: d}\n" STREAM_S,
     "f:4:9: `bytes` of `mirror` is 50GiB; at least 51GiB is allowed, 4 segments of 256MiB for "
     "each shard\n"},
    {"lake, in the data directory",
     "appliance:\n"
     "  data: {directory: var/d, mirror: {lake: var/d/}}\n" STREAM_S,
     "f:2:43: `lake` is `var/d/`, as `directory` is; a folder of its own is allowed, as lake: "
     "var/lake\n"},
    {"archive, elsewhere",
     "appliance:\n"
     "  data: {directory: d, mirror: {archive: /var/archive}}\n" STREAM_S,
     "f:2:42: `archive` is `/var/archive`; a folder below `directory` is allowed, as archive/, "
     "because files move there without being copied\n"},
    {"archive, above",
     "appliance:\n"
     "  data: {directory: d, mirror: {archive: a/../../b}}\n" STREAM_S,
     "f:2:42: `archive` is `a/../../b`; a folder below `directory` is allowed, as archive/, "
     "because files move there without being copied\n"},
    {"archive, an empty part",
     "appliance:\n"
     "  data: {directory: d, mirror: {archive: a//b}}\n" STREAM_S,
     "f:2:42: `archive` is `a//b`; a folder below `directory` is allowed, as archive/, because "
     "files move there without being copied\n"},
    {"archive, too long",
     "appliance:\n"
     "  data: {directory: d, mirror: {archive: "
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}}\n" STREAM_S,
     "f:2:42: `archive` has 64 bytes; 1 to 63 are allowed\n"},
    {"data, a list",
     "appliance:\n"
     "  data: []\n" STREAM_S,
     "f:2:9: `data` is a map of `key: value` lines\n"},
};

int main(void)
{
    return config_rows_main("a_wrong_appliance_is_refused_with_what_is_allowed", rows,
                            ARRAY_COUNT(rows));
}
