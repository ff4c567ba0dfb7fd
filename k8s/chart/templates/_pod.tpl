{{/* The pods of the Deployment or DaemonSet. */}}
{{- define "uturn.podTemplate" -}}
{{- $secret := include "uturn.secretName" . -}}
{{- $keys := .Values.auth.existingSecretKeys -}}
{{- $listeners := (include "uturn.listeners" . | fromJson).items -}}
metadata:
  annotations:
    checksum/config: {{ include "uturn.checksum" . }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  labels:
    {{- include "uturn.labelsAnd" (list . .Values.podLabels) | nindent 4 }}
spec:
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  serviceAccountName: {{ include "uturn.serviceAccountName" . }}
  automountServiceAccountToken: false
  # Or a Service named "stunner" would set STUNNER_PORT to "udp://…" in every pod that does not set it itself.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- if .Values.hostNetwork }}
  hostNetwork: true
  dnsPolicy: ClusterFirstWithHostNet
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  securityContext:
    {{- include "uturn.podSecurityContext" . | nindent 4 }}
  containers:
    - name: stunnerd
      image: {{ include "uturn.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      command: ["uturn"]
      args: {{ concat (list "-c" "/etc/uturn/uturn.json") .Values.extraArgs | toJson }}
      envFrom:
        - configMapRef:
            name: {{ include "uturn.fullname" . }}-config
        {{- if not .Values.auth.existingSecret }}
        - secretRef:
            name: {{ $secret }}
        {{- end }}
        {{- with .Values.extraEnvFrom }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      env:
        - name: STUNNER_ADDR
          valueFrom:
            fieldRef:
              fieldPath: {{ ternary "status.hostIP" "status.podIP" .Values.hostNetwork }}
        - name: STUNNER_NAME
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        - name: STUNNER_NAMESPACE
          valueFrom:
            fieldRef:
              fieldPath: metadata.namespace
        - name: STUNNER_NODENAME
          valueFrom:
            fieldRef:
              fieldPath: spec.nodeName
        {{- if .Values.auth.existingSecret }}
        {{- if eq .Values.auth.type "static" }}
        - name: STUNNER_USERNAME
          valueFrom:
            secretKeyRef:
              name: {{ $secret }}
              key: {{ $keys.username }}
        - name: STUNNER_PASSWORD
          valueFrom:
            secretKeyRef:
              name: {{ $secret }}
              key: {{ $keys.password }}
        {{- else if eq .Values.auth.type "ephemeral" }}
        - name: STUNNER_SHARED_SECRET
          valueFrom:
            secretKeyRef:
              name: {{ $secret }}
              key: {{ $keys.secret }}
        {{- with $keys.acceptedSecret }}
        - name: UTURN_ACCEPTED_SECRET
          valueFrom:
            secretKeyRef:
              name: {{ $secret }}
              key: {{ . }}
              optional: true
        {{- end }}
        {{- end }}
        {{- with $keys.nonceKey }}
        - name: UTURN_NONCE_KEY
          valueFrom:
            secretKeyRef:
              name: {{ $secret }}
              key: {{ . }}
        {{- end }}
        {{- end }}
        {{- with .Values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      # Each number once, though most are listened on over UDP and TCP: an upgrade merges ports by their numbers, and would lose both of two
      # when one changes. Services name numbers, which need not stand here.
      ports:
        {{- $numbers := list }}
        {{- range $listeners }}
        {{- if not (has (int .port) $numbers) }}
        {{- $numbers = append $numbers (int .port) }}
        - name: turn-{{ .name }}
          containerPort: {{ .port }}
          protocol: {{ .transport }}
        {{- end }}
        {{- end }}
        {{- if .Values.metrics.enabled }}
        - name: metrics-port
          containerPort: {{ .Values.metrics.port }}
          protocol: TCP
        {{- end }}
        {{- if .Values.credentialsEndpoint.enabled }}
        - name: credentials
          containerPort: {{ .Values.credentialsEndpoint.port }}
          protocol: TCP
        {{- end }}
        - name: health
          containerPort: 8086
          protocol: TCP
      startupProbe:
        httpGet:
          path: /live
          port: health
        {{- toYaml .Values.startupProbe | nindent 8 }}
      livenessProbe:
        httpGet:
          path: /live
          port: health
        {{- toYaml .Values.livenessProbe | nindent 8 }}
      # Stays 200 while the relay drains: kube-proxy from 1.32 on cuts the UDP flows of a pod whose readiness fails.
      readinessProbe:
        httpGet:
          path: /ready
          port: health
        {{- toYaml .Values.readinessProbe | nindent 8 }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      securityContext:
        {{- toYaml .Values.securityContext | nindent 8 }}
      volumeMounts:
        - name: relay
          mountPath: /etc/uturn
          readOnly: true
        {{- if .Values.tls.secretName }}
        - name: tls
          mountPath: /etc/uturn-tls
          readOnly: true
        {{- end }}
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: relay
      configMap:
        name: {{ include "uturn.fullname" . }}-relay
    {{- with .Values.tls.secretName }}
    - name: tls
      secret:
        secretName: {{ . }}
        defaultMode: 0440
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml .Values.topologySpreadConstraints | nindent 4 }}
  {{- else if eq .Values.kind "Deployment" }}
  topologySpreadConstraints:
    {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "uturn.selectorLabels" $ | nindent 10 }}
    {{- end }}
  {{- end }}
{{- end -}}
