// Each argument is a YAML file: prints, as JSON, what the schema says against it ([] is nothing).
const fs = require('fs');
const Ajv = require('ajv');
const yaml = require('yaml');

const ajv = new Ajv({ allErrors: true, strict: true, allowUnionTypes: true });
const valid = ajv.compile(JSON.parse(fs.readFileSync(process.env.FRESHET_SCHEMA, 'utf8')));
const errors = {};
for (const path of process.argv.slice(2)) {
  valid(yaml.parse(fs.readFileSync(path, 'utf8')));
  errors[path] = (valid.errors || []).map((e) => `${e.instancePath} ${e.message}`);
}
console.log(JSON.stringify(errors));
