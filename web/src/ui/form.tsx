// The controls of a form made from a schema.
import { useId } from 'react';

import type { Field, Fields, Texts } from './schema';

export interface SchemaFormProps {
  fields: Fields;
  texts: Texts;
  problems: Record<string, string>;
  onChange(texts: Texts): void;
  empty: string;
}

export function SchemaForm({ fields, texts, problems, onChange, empty }: SchemaFormProps) {
  if (fields.length === 0) return <p className="soft">{empty}</p>;
  return (
    <div className="fields">
      {fields.map((field) => (
        <Control
          key={field.name}
          field={field}
          text={texts[field.name] ?? ''}
          problem={problems[field.name]}
          onChange={(text) => onChange({ ...texts, [field.name]: text })}
        />
      ))}
    </div>
  );
}

interface ControlProps {
  field: Field;
  text: string;
  problem: string | undefined;
  onChange(text: string): void;
}

function Control({ field, text, problem, onChange }: ControlProps) {
  const id = useId();
  const hint = field.description ?? (field.isTemplate ? `default: ${String(field.initial)}` : undefined);
  const shared = {
    id,
    value: text,
    'aria-invalid': problem ? true : undefined,
    'aria-describedby': hint || problem ? `${id}-hint` : undefined,
  };
  const onText = (event: { target: { value: string } }) => onChange(event.target.value);
  return (
    <div className="field">
      <span>
        <label htmlFor={id}>
          {field.name}
          {field.isRequired ? ' *' : ''}
        </label>
      </span>
      {field.kind === 'check' ? (
        <span className="check">
          <input id={id} type="checkbox" checked={text === 'true'} onChange={(event) => onChange(String(event.target.checked))} />
        </span>
      ) : null}
      {field.kind === 'choice' ? (
        <select {...shared} onChange={onText}>
          <option value="">{field.isRequired ? 'choose' : 'default'}</option>
          {field.choices.map((choice) => (
            <option key={JSON.stringify(choice)} value={JSON.stringify(choice)}>
              {String(choice)}
            </option>
          ))}
        </select>
      ) : null}
      {field.kind === 'number' ? <input {...shared} type="number" step={field.isInteger ? 1 : 'any'} min={field.min} max={field.max} onChange={onText} /> : null}
      {field.kind === 'text' ? <input {...shared} type="text" onChange={onText} /> : null}
      {field.kind === 'json' ? <textarea {...shared} rows={3} spellCheck={false} onChange={onText} placeholder="JSON" /> : null}
      {hint || problem ? (
        <span id={`${id}-hint`}>
          {problem ? <span className="bad">{problem} </span> : null}
          {hint ? <span className="soft">{hint}</span> : null}
        </span>
      ) : null}
    </div>
  );
}
