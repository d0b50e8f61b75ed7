'use strict';

// Renders openapi.json as a list of operations; text is only ever set as text.

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

function el(name, text, className) {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
}

function typeOf(schema, depth = 0) {
  if (!schema) return 'any';
  if (schema.$ref) return schema.$ref.split('/').pop();
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  const several = schema.oneOf || schema.anyOf || schema.allOf;
  if (several) return several.map((one) => typeOf(one, depth)).join(schema.allOf ? ' & ' : ' | ');
  const type = Array.isArray(schema.type) ? schema.type.join(' | ') : schema.type || 'any';
  if (type === 'array') return `${typeOf(schema.items, depth)}[]`;
  if (schema.properties) return objectType(schema, depth);
  return schema.format ? `${type} (${schema.format})` : type;
}

function objectType(schema, depth) {
  const required = new Set(schema.required || []);
  const indent = '  '.repeat(depth + 1);
  const lines = Object.entries(schema.properties).map(
    ([name, property]) => `${indent}${name}${required.has(name) ? '' : '?'}: ${typeOf(property, depth + 1)}`,
  );
  return `{\n${lines.join('\n')}\n${'  '.repeat(depth)}}`;
}

function contentType(content) {
  const first = content && Object.values(content)[0];
  return first && first.schema ? typeOf(first.schema) : null;
}

function parameterTable(parameters) {
  const table = el('table');
  const head = table.createTHead().insertRow();
  ['Parameter', 'In', 'Type', ''].forEach((title) => head.append(el('th', title)));
  const body = table.createTBody();
  for (const parameter of parameters) {
    const row = body.insertRow();
    row.insertCell().append(el('code', parameter.name + (parameter.required ? '' : '?')));
    row.insertCell().textContent = parameter.in;
    row.insertCell().append(el('code', typeOf(parameter.schema)));
    row.insertCell().textContent = parameter.description || '';
  }
  return table;
}

function operationView(method, path, operation) {
  const details = el('details');
  const summary = el('summary');
  summary.append(el('code', method.toUpperCase(), 'method'), el('code', path), el('span', operation.summary || ''));
  summary.append(el('code', operation['x-right'] || '', 'right'));
  details.append(summary);
  if (operation.description) details.append(el('p', operation.description));
  if (operation.parameters && operation.parameters.length) details.append(parameterTable(operation.parameters));
  const body = operation.requestBody && contentType(operation.requestBody.content);
  if (body) details.append(el('p', 'Body'), el('pre', body));
  for (const [status, answer] of Object.entries(operation.responses || {})) {
    const type = contentType(answer.content);
    details.append(el('p', `${status} ${answer.description || ''}`));
    if (type) details.append(el('pre', type));
  }
  return details;
}

function schemaView(name, schema) {
  const details = el('details');
  details.append(Object.assign(el('summary'), { id: name }));
  details.firstChild.append(el('code', name));
  if (schema.description) details.append(el('p', schema.description));
  details.append(el('pre', typeOf(schema)));
  return details;
}

function render(api) {
  document.getElementById('about').textContent = `Version ${api.info.version}. ${api.info.description || ''}`;
  const areas = new Map();
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((name) => item[name])) {
      const area = (item[method].tags || ['other'])[0];
      if (!areas.has(area)) areas.set(area, []);
      areas.get(area).push(operationView(method, path, item[method]));
    }
  }
  const main = document.getElementById('operations');
  main.replaceChildren();
  for (const [area, views] of areas) main.append(el('h2', area), ...views);
  const schemas = Object.entries((api.components && api.components.schemas) || {});
  main.append(el('h2', 'Types'), ...schemas.map(([name, schema]) => schemaView(name, schema)));
}

fetch('openapi.json')
  .then((answer) => answer.json())
  .then(render)
  .catch((error) => {
    document.getElementById('operations').textContent = `The description could not be loaded: ${error.message}`;
  });
