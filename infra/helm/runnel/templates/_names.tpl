{{- define "runnel.name" -}}
{{- printf "%s" .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- define "runnel.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
app.kubernetes.io/name: runnel
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "runnel.selector" -}}
app.kubernetes.io/name: runnel
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "runnel.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "runnel.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "runnel.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "runnel.queueEnv" -}}
- { name: RUNNEL_SQS_REGION, value: {{ .Values.sqs.region | quote }} }
- { name: AWS_REGION, value: {{ .Values.sqs.region | quote }} }
- { name: RUNNEL_QUEUE_PREFIX, value: {{ .Values.sqs.prefix | quote }} }
{{- with .Values.sqs.endpoint }}
- { name: RUNNEL_SQS_ENDPOINT, value: {{ . | quote }} }
{{- end }}
- { name: RUNNEL_PAYLOADS, value: {{ .Values.payloads.place | quote }} }
{{- with .Values.payloads.endpoint }}
- { name: RUNNEL_PAYLOADS_ENDPOINT, value: {{ . | quote }} }
{{- end }}
{{- end }}

{{- define "runnel.databaseEnv" -}}
- { name: RUNNEL_DATABASE_URL, value: {{ .Values.database.url | quote }} }
# the URL has no password: PostgreSQL's own variable adds it
- name: PGPASSWORD
  valueFrom: { secretKeyRef: { name: {{ .Values.database.passwordSecret.name }}, key: {{ .Values.database.passwordSecret.key }} } }
{{- end }}

{{- define "runnel.secretEnv" -}}
- name: {{ .variable }}
  valueFrom: { secretKeyRef: { name: {{ .secret }}, key: {{ .key }} } }
{{- end }}
