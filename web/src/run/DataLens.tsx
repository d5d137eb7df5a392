// What went into a run and what came out.
import { useEffect } from 'react';

import { useData } from '../api/hooks';
import { RunDataDocument, type RunStatus } from '../gql/graphql';
import { PayloadBox } from '../ui/json';
import { Failure, Skeleton } from '../ui/states';

export function DataLens({ id, status }: { id: string; status: RunStatus }) {
  const data = useData(RunDataDocument, { id });
  const { refetch } = data;
  useEffect(refetch, [status, refetch]);
  if (data.problem) return <Failure problem={data.problem} onRetry={refetch} />;
  if (data.isLoading) return <Skeleton />;
  return (
    <div className="fields">
      <PayloadBox title="Inputs" payload={data.data?.run?.inputsPayload} empty="No inputs." />
      <PayloadBox title="Outputs" payload={data.data?.run?.outputsPayload} empty="Outputs appear when the run has succeeded." />
    </div>
  );
}
