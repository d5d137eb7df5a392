// "Copy as": what a screen shows or does, as a command and as GraphQL.
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { DropdownMenu } from 'radix-ui';
import { useRef, useState } from 'react';
import { stringifyDocument } from 'urql';

import { say } from './toast';

export async function copy(text: string, what: string): Promise<void> {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
  } else {
    // a page that is not served over HTTPS has no clipboard
    const field = document.createElement('textarea');
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand('copy');
    field.remove();
  }
  say(`Copied ${what}.`);
}

/** A word as a shell reads it back. */
export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A request that any GraphQL client takes: the document and its variables. */
export function asGraphql(document: TypedDocumentNode<unknown, never>, variables: object): string {
  const used = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined));
  return `${stringifyDocument(document)}\n# variables\n${JSON.stringify(used, null, 2)}\n`;
}

export interface CopyAsProps {
  cli: string;
  document: TypedDocumentNode<never, never>;
  variables: object;
}

export function CopyAs({ cli, document, variables }: CopyAsProps) {
  const trigger = useRef<HTMLButtonElement>(null);
  // outside of an open dialog everything is inert
  const [container, setContainer] = useState<HTMLElement>();
  return (
    <DropdownMenu.Root modal={false} onOpenChange={() => setContainer(trigger.current?.closest('dialog') ?? undefined)}>
      <DropdownMenu.Trigger ref={trigger} className="button quiet">
        Copy as…
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal container={container}>
        <DropdownMenu.Content className="menu" align="end" sideOffset={4}>
          <DropdownMenu.Item className="menu-item" onSelect={() => void copy(cli, 'the command')}>
            CLI <code>{cli}</code>
          </DropdownMenu.Item>
          <DropdownMenu.Item
            className="menu-item"
            onSelect={() => void copy(asGraphql(document as TypedDocumentNode<unknown, never>, variables), 'the GraphQL request')}
          >
            GraphQL
          </DropdownMenu.Item>
          <DropdownMenu.Item className="menu-item" onSelect={() => void copy(location.href, 'the link')}>
            Link to this view
          </DropdownMenu.Item>
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
