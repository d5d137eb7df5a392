// Forms from JSON Schema: what a field is called, which control it gets, and how its text becomes a value.

export interface Field {
  name: string;
  kind: 'text' | 'number' | 'check' | 'choice' | 'json';
  isInteger: boolean;
  isRequired: boolean;
  description: string | undefined;
  choices: readonly unknown[];
  /** As the file gives it; a template is shown and not sent. */
  initial: unknown;
  isTemplate: boolean;
  min: number | undefined;
  max: number | undefined;
}

export type Fields = readonly Field[];
/** What is in the controls. */
export type Texts = Record<string, string>;

interface Schema {
  type?: string | string[];
  enum?: unknown[];
  default?: unknown;
  description?: string;
  title?: string;
  required?: boolean | string[];
  minimum?: number;
  maximum?: number;
  properties?: Record<string, unknown>;
}

/** Fields of declared inputs: names and their schemas. An input without a default is needed unless it says otherwise. */
export function fieldsOf(inputs: Record<string, unknown>): Fields {
  return Object.entries(inputs).map(([name, schema]) => {
    const own = (schema ?? {}) as Schema;
    return fieldOf(name, own, own.default === undefined && own.required !== false);
  });
}

/** Fields of an object's schema, as of the form of an approval. */
export function fieldsOfObject(schema: unknown): Fields {
  const { properties = {}, required = [] } = (schema ?? {}) as Schema;
  const needed = Array.isArray(required) ? required : [];
  return Object.entries(properties).map(([name, own]) => fieldOf(name, (own ?? {}) as Schema, needed.includes(name)));
}

function fieldOf(name: string, schema: Schema, isRequired: boolean): Field {
  const type = Array.isArray(schema.type) ? schema.type.find((one) => one !== 'null') : schema.type;
  const isTemplate = typeof schema.default === 'string' && schema.default.includes('${{');
  return {
    name,
    kind: kindOf(type, schema),
    isInteger: type === 'integer',
    isRequired,
    description: schema.description ?? schema.title,
    choices: schema.enum ?? [],
    initial: schema.default,
    isTemplate,
    min: schema.minimum,
    max: schema.maximum,
  };
}

function kindOf(type: string | undefined, schema: Schema): Field['kind'] {
  if (schema.enum) return 'choice';
  if (type === 'integer' || type === 'number') return 'number';
  if (type === 'boolean') return 'check';
  return type === 'string' ? 'text' : 'json';
}

function textOf(field: Field, value: unknown): string {
  if (value === undefined || value === null) return '';
  if (field.kind === 'json' || field.kind === 'choice') return JSON.stringify(value);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

export function emptyValues(fields: Fields): Texts {
  return Object.fromEntries(fields.map((field) => [field.name, field.isTemplate ? '' : textOf(field, field.initial)]));
}

export function textsOf(fields: Fields, values: Record<string, unknown>): Texts {
  return Object.fromEntries(fields.map((field) => [field.name, textOf(field, values[field.name])]));
}

/** The values to send; a control that was left empty sends nothing, so that the default of the file holds. */
export function valuesOf(fields: Fields, texts: Texts): { values: Record<string, unknown>; problems: Record<string, string> } {
  const values: Record<string, unknown> = {};
  const problems: Record<string, string> = {};
  for (const field of fields) {
    const text = texts[field.name] ?? '';
    if (text.trim() === '' && !(field.kind === 'text' && field.isRequired && text !== '')) {
      if (field.kind === 'check' && field.isRequired) values[field.name] = false;
      else if (field.isRequired) problems[field.name] = 'This is needed.';
      continue;
    }
    const value = valueOf(field, text);
    if (value === undefined) problems[field.name] = PROBLEMS[field.kind];
    else values[field.name] = value;
  }
  return { values, problems };
}

const PROBLEMS: Record<Field['kind'], string> = {
  text: 'This is no text.',
  number: 'This is no number.',
  check: 'This is neither true nor false.',
  choice: 'Choose one of these.',
  json: 'This is no JSON. Texts stand in double quotes.',
};

function valueOf(field: Field, text: string): unknown {
  if (field.kind === 'text') return text;
  try {
    const value: unknown = JSON.parse(text);
    if (field.kind === 'number' && (typeof value !== 'number' || (field.isInteger && !Number.isInteger(value)))) return undefined;
    return value;
  } catch {
    return undefined;
  }
}
