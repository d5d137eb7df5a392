// CodeMirror, in a shadow root: there it styles itself through constructed style sheets, which the content security policy
// allows, and not through style elements, which it refuses.
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { json } from '@codemirror/lang-json';
import { yaml } from '@codemirror/lang-yaml';
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from '@codemirror/language';
import { setDiagnostics, lintGutter, type Diagnostic } from '@codemirror/lint';
import { EditorState } from '@codemirror/state';
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { useEffect, useImperativeHandle, useRef, type Ref } from 'react';

import type { DiagnosticFieldsFragment } from '../gql/graphql';

export interface CodeHandle {
  /** Moves the cursor to a place and shows it. */
  reveal(offset: number): void;
}

export interface CodeEditorProps {
  ref?: Ref<CodeHandle>;
  text: string;
  isJson: boolean;
  diagnostics: readonly DiagnosticFieldsFragment[];
  onChange(text: string): void;
}

const look = EditorView.theme({
  '&': { height: '100%', fontSize: '13px', color: 'var(--text)', backgroundColor: 'var(--surface)' },
  // the frame around it shows the focus
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.55' },
  '.cm-gutters': { color: 'var(--text-soft)', backgroundColor: 'var(--surface)', border: 'none' },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'var(--sunken)' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '&.cm-focused .cm-selectionBackground, .cm-selectionBackground': { backgroundColor: 'var(--accent-soft) !important' },
  '.cm-tooltip': { color: 'var(--text)', backgroundColor: 'var(--raised)', border: '1px solid var(--border)' },
});
const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: 'var(--accent)' },
  { tag: [tags.string, tags.content], color: 'var(--ok)' },
  { tag: [tags.number, tags.bool, tags.null, tags.keyword], color: 'var(--warn)' },
  { tag: tags.comment, color: 'var(--text-soft)', fontStyle: 'italic' },
]);

/** Byte offsets of the server as places of the text, which counts UTF-16 units. */
export function toUnits(text: string): (bytes: number) => number {
  const isPlain = !/[^\u0000-\u007f]/.test(text);
  if (isPlain) return (bytes) => Math.min(bytes, text.length);
  const encoded = new TextEncoder().encode(text);
  const decoder = new TextDecoder();
  return (bytes) => decoder.decode(encoded.subarray(0, bytes)).length;
}

export function marksOf(text: string, diagnostics: readonly DiagnosticFieldsFragment[]): Diagnostic[] {
  const units = toUnits(text);
  return diagnostics.map((diagnostic) => {
    const from = Math.min(units(diagnostic.offset ?? 0), text.length);
    const to = Math.min(Math.max(units((diagnostic.offset ?? 0) + (diagnostic.length ?? 1)), from), text.length);
    return {
      from,
      to,
      severity: diagnostic.severity === 'ERROR' ? 'error' : 'warning',
      message: diagnostic.help ? `${diagnostic.message}\n${diagnostic.help}` : diagnostic.message,
    };
  });
}

export default function CodeEditor({ ref, text, isJson, diagnostics, onChange }: CodeEditorProps) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(undefined);
  const latest = useRef(onChange);
  latest.current = onChange;
  const initial = useRef(text);
  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const root = element.shadowRoot ?? element.attachShadow({ mode: 'open' });
    const editor = new EditorView({
      root,
      state: EditorState.create({
        doc: initial.current,
        extensions: [
          lineNumbers(),
          lintGutter(),
          history(),
          drawSelection(),
          indentOnInput(),
          bracketMatching(),
          highlightActiveLine(),
          EditorState.tabSize.of(2),
          // Escape, then Tab leaves the editor: the way that CodeMirror documents for keyboards
          keymap.of([...defaultKeymap, ...historyKeymap, indentWithTab]),
          isJson ? json() : yaml(),
          syntaxHighlighting(colours),
          look,
          EditorView.contentAttributes.of({ tabindex: '0', 'aria-label': 'Workflow file. Escape and then Tab leaves the editor.' }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) latest.current(update.state.doc.toString());
          }),
        ],
      }),
    });
    root.append(editor.dom);
    view.current = editor;
    return () => editor.destroy();
  }, [isJson]);
  useEffect(() => {
    const editor = view.current;
    // an answer about a text that was edited since would mark other words
    if (editor) editor.dispatch(setDiagnostics(editor.state, marksOf(editor.state.doc.toString(), diagnostics)));
  }, [diagnostics]);
  useImperativeHandle(ref, () => ({
    reveal(offset) {
      const editor = view.current;
      if (!editor) return;
      const place = Math.min(toUnits(editor.state.doc.toString())(offset), editor.state.doc.length);
      editor.dispatch({ selection: { anchor: place }, effects: EditorView.scrollIntoView(place, { y: 'center' }) });
      editor.focus();
    },
  }));
  return <div ref={host} />;
}
