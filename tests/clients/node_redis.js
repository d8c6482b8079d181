'use strict';
const redis = require('redis');
const {assert, COUNT, SUM, tcp, unix, pairs, rejects, run} = require('./expect.js');

// command(key, words...) sends words that the client does not know.
async function reads(client, command) {
  assert.deepStrictEqual(await client.hmGet('card:4711', [COUNT, SUM]), ['3', '28.50']);
  assert.deepStrictEqual(await client.hmGet('card:4799', [COUNT, SUM]), [null, null]);
  assert.strictEqual(await client.hGet('card:4712', SUM), '1.25');
  const all = await client.hGetAll('card:4711');
  assert.strictEqual(all[COUNT], '3');
  assert.strictEqual(all[SUM], '28.50');
  assert.strictEqual(Number(await client.exists('card:4711')), 1);
  assert.strictEqual(await client.type('card:4711'), 'hash');
  const got = await command('card:4711', 'FS.GET', 'card:4711', 'FIELDS', '2', COUNT, SUM);
  assert.deepStrictEqual(pairs(got), {[COUNT]: '3', [SUM]: '28.50'});
  const meta = await command('card:4711', 'FS.GET', 'card:4711', 'FIELDS', '1', COUNT, 'WITHMETA');
  assert.deepStrictEqual(pairs(meta)[COUNT].slice(0, 3), ['3', 'PRESENT', 'PARTIAL']);
  const none = await command('card:4799', 'FS.GET', 'card:4799', 'FIELDS', '1', COUNT, 'WITHMETA');
  assert.deepStrictEqual(pairs(none)[COUNT].slice(0, 3), [null, 'NOT_FOUND', '']);
  const many = await Promise.all(
      Array.from({length: 300}, () => client.hmGet('card:4711', [COUNT, SUM])));
  assert.ok(many.every((one) => one[0] === '3' && one[1] === '28.50'));
  await rejects(client.hGet('card:4711', 'activity.txn_cnt_10m'), /did you mean 'activity\.txn_count_10m'/);
  await rejects(client.hSet('card:4711', 'a', 'b'), /read only; events arrive over UDP/);
}

async function with_client(options) {
  const client = redis.createClient(options);
  client.on('error', (error) => console.error(error));
  await client.connect();
  await reads(client, (key, ...words) => client.sendCommand(words));
  const keys = [];
  for await (const some of client.scanIterator({MATCH: 'card:47*', COUNT: 1})) {
    keys.push(...[].concat(some));
  }
  assert.deepStrictEqual(keys.sort(), ['card:4711', 'card:4712']);
  await client.close();
}

const url = `redis://${tcp.host}:${tcp.port}`;

async function with_resp3() {
  await with_client({url, RESP: 3});
}

async function with_resp2() {
  await with_client({url, RESP: 2});
}

async function over_unix_socket() {
  await with_client({socket: {path: unix}});
}

async function as_a_cluster() {
  for (const RESP of [2, 3]) {
    const client = redis.createCluster({rootNodes: [{url}], RESP});
    client.on('error', (error) => console.error(error));
    await client.connect();
    await reads(client, (key, ...words) => client.sendCommand(key, true, words));
    await client.close();
  }
}

run('node-redis', [with_resp3, with_resp2, over_unix_socket, as_a_cluster]).then(
    () => process.exit(0),
    (error) => {
      console.error(error);
      process.exit(1);
    });
