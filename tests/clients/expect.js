// What every client must get from the appliance that test_clients.py started: card 4711 has three
// events of 9.50, card 4712 one of 1.25, card 4799 none.
'use strict';
const assert = require('node:assert');

const COUNT = 'activity.txn_count_10m';
const SUM = 'activity.amount_sum_1h';

const tcp = {host: '127.0.0.1', port: Number(process.env.FRESHET_TCP)};
const unix = process.env.FRESHET_UNIX;

// Pairs of a flat array, or a map or object, as one object of strings.
function pairs(reply) {
  if (Array.isArray(reply)) {
    const out = {};
    for (let i = 0; i < reply.length; i += 2) {
      out[reply[i]] = reply[i + 1];
    }
    return out;
  }
  return reply instanceof Map ? Object.fromEntries(reply) : {...reply};
}

async function rejects(promise, pattern) {
  await assert.rejects(promise, (error) => pattern.test(error.message));
}

async function run(name, tests) {
  for (const test of tests) {
    await test();
    console.log(`ok   ${name} ${test.name}`);
  }
}

// A client that hangs must not hang the test.
setTimeout(() => {
  console.error('no end within 30 s');
  process.exit(1);
}, 30000).unref();

module.exports = {assert, COUNT, SUM, tcp, unix, pairs, rejects, run};
