import type { CodegenConfig } from '@graphql-codegen/cli';

// Types of our own operations, from the committed schema. The result is committed: a build needs no code generation.
const config: CodegenConfig = {
  schema: '../schema.graphql',
  documents: ['src/**/*.graphql'],
  generates: {
    './src/gql/': {
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: {
        useTypeImports: true,
        enumsAsTypes: true,
        // DateTime and Duration are text; JSON is whatever it is
        scalars: { DateTime: 'string', Duration: 'string', JSON: 'unknown' },
        avoidOptionals: { field: true, inputValue: false, object: true },
      },
    },
  },
};

export default config;
