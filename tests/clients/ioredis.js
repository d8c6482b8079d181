'use strict';
const Redis = require('ioredis');
const {assert, COUNT, SUM, tcp, unix, pairs, rejects, run} = require('./expect.js');

async function reads(client) {
  assert.deepStrictEqual(await client.hmget('card:4711', COUNT, SUM), ['3', '28.50']);
  assert.deepStrictEqual(await client.hmget('card:4799', COUNT, SUM), [null, null]);
  assert.strictEqual(await client.hget('card:4712', SUM), '1.25');
  const all = await client.hgetall('card:4711');
  assert.strictEqual(all[COUNT], '3');
  assert.strictEqual(all[SUM], '28.50');
  assert.strictEqual(await client.exists('card:4711'), 1);
  assert.strictEqual(await client.type('card:4711'), 'hash');
  assert.ok((await client.ttl('card:4711')) > 0);
  const got = await client.call('FS.GET', 'card:4711', 'FIELDS', '2', COUNT, SUM);
  assert.deepStrictEqual(pairs(got), {[COUNT]: '3', [SUM]: '28.50'});
  const two = await client.call('FS.MGET', '2', 'card:4711', 'card:4712', 'FIELDS', '1', COUNT);
  assert.deepStrictEqual(two.map((one) => pairs(one)[COUNT]), ['3', '1']);
  await rejects(client.hget('card:4711', 'activity.txn_cnt_10m'), /did you mean 'activity\.txn_count_10m'/);
  await rejects(client.hset('card:4711', 'a', 'b'), /read only; events arrive over UDP/);
}

async function pipelines(client) {
  const pipeline = client.pipeline();
  for (let i = 0; i < 300; i++) {
    pipeline.hmget('card:4711', COUNT, SUM);
  }
  for (const [error, value] of await pipeline.exec()) {
    assert.strictEqual(error, null);
    assert.deepStrictEqual(value, ['3', '28.50']);
  }
}

async function scans(client) {
  const keys = [];
  for await (const some of client.scanStream({match: 'card:47*', count: 1})) {
    keys.push(...some);
  }
  assert.deepStrictEqual(keys.sort(), ['card:4711', 'card:4712']);
}

async function over_unix_socket() {
  const client = new Redis({path: unix});
  await reads(client);
  await pipelines(client);
  await scans(client);
  await client.quit();
}

async function over_tcp() {
  const client = new Redis(tcp);
  await reads(client);
  await pipelines(client);
  await client.quit();
}

async function as_a_cluster() {
  const client = new Redis.Cluster([tcp]);
  await reads(client);
  await pipelines(client);
  await client.quit();
}

run('ioredis', [over_unix_socket, over_tcp, as_a_cluster]).then(
    () => process.exit(0),
    (error) => {
      console.error(error);
      process.exit(1);
    });
