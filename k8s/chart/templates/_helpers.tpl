{{- define "uturn.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Short enough for what is put behind it. */}}
{{- define "uturn.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if or (contains "uturn" .Release.Name) (contains "stunner" .Release.Name) -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-uturn" .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What selectors have: nothing that an upgrade changes. */}}
{{- define "uturn.selectorLabels" -}}
app.kubernetes.io/name: {{ include "uturn.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "uturn.commonLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: webrtc
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "uturn.labels" -}}
app: stunner
{{ include "uturn.selectorLabels" . }}
app.kubernetes.io/component: gateway
{{ include "uturn.commonLabels" . }}
{{- end -}}

{{/* The relay's labels with more over them: (list . more). */}}
{{- define "uturn.labelsAnd" -}}
{{- toYaml (mergeOverwrite (include "uturn.labels" (index . 0) | fromYaml) (index . 1)) -}}
{{- end -}}

{{/* Of objects that are no relay: (list . "component"). Their pods match no selector of the relay's. */}}
{{- define "uturn.otherLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "uturn.name" $root }}-{{ index . 1 }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{ include "uturn.commonLabels" $root }}
{{- end -}}

{{- define "uturn.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "uturn.secretName" -}}
{{- .Values.auth.existingSecret | default (printf "%s-credentials" (include "uturn.fullname" .)) -}}
{{- end -}}

{{- define "uturn.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "uturn.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "uturn.podSecurityContext" -}}
{{- $profile := dict "type" .Values.seccompProfile.type -}}
{{- if eq .Values.seccompProfile.type "Localhost" -}}
{{- $_ := set $profile "localhostProfile" .Values.seccompProfile.localhostProfile -}}
{{- end -}}
{{- toYaml (mergeOverwrite (dict "seccompProfile" $profile) (deepCopy .Values.podSecurityContext)) -}}
{{- end -}}

{{/* The enabled listeners as {"items": [{name, transport, port, servicePort, nodePort}, …]}. */}}
{{- define "uturn.listeners" -}}
{{- $items := list -}}
{{- range $name := list "udp" "tcp" "tls" "dtls" -}}
{{- $listener := index $.Values.listeners $name -}}
{{- if $listener.enabled -}}
{{- $transport := ternary "UDP" "TCP" (or (eq $name "udp") (eq $name "dtls")) -}}
{{- $items = append $items (merge (dict "name" $name "transport" $transport) (deepCopy $listener)) -}}
{{- end -}}
{{- end -}}
{{- if not $items -}}
{{- fail "listeners: enable at least one" -}}
{{- end -}}
{{- toJson (dict "items" $items) -}}
{{- end -}}

{{/* The same, as their Services have them: {"NAME": [...], "NAME-tcp": [...]}. */}}
{{- define "uturn.services" -}}
{{- $name := include "uturn.fullname" . -}}
{{- $services := dict -}}
{{- if .Values.service.enabled -}}
{{- range (include "uturn.listeners" . | fromJson).items -}}
{{- $to := ternary $name (printf "%s-tcp" $name) (or $.Values.service.mixedProtocol (eq .transport "UDP")) -}}
{{- $_ := set $services $to (append (index $services $to | default list) .) -}}
{{- end -}}
{{- end -}}
{{- toJson $services -}}
{{- end -}}

{{/* The relay's configuration. Its form is v1alpha1, the one in which credentials come from the environment. */}}
{{- define "uturn.relayConfig" -}}
{{- $http := ternary "http://[$STUNNER_ADDR]" "http://" .Values.hostNetwork -}}
{{- $admin := dict "name" "$STUNNER_NAMESPACE/$STUNNER_NAME" "loglevel" "$STUNNER_LOGLEVEL" "log_format" .Values.logFormat "healthcheck_endpoint" (printf "%s:8086" $http) "lockdown" "strict" "drain_timeout" (max 1 (sub .Values.terminationGracePeriodSeconds 60)) "nonce_key" "$UTURN_NONCE_KEY" "user_quota" .Values.userQuota -}}
{{- if .Values.metrics.enabled -}}
{{- $_ := set $admin "metrics_endpoint" (printf "%s:%d/metrics" $http (int .Values.metrics.port)) -}}
{{- end -}}
{{- if .Values.credentialsEndpoint.enabled -}}
{{- $_ := set $admin "ice_endpoint" (printf "%s:%d" $http (int .Values.credentialsEndpoint.port)) -}}
{{- end -}}
{{- $credentials := dict "username" "$STUNNER_USERNAME" "password" "$STUNNER_PASSWORD" "secret" "$STUNNER_SHARED_SECRET" "accepted_secrets" "$UTURN_ACCEPTED_SECRET" -}}
{{- $auth := dict "type" "$STUNNER_AUTH_TYPE" "realm" "$STUNNER_REALM" "credentials" $credentials -}}
{{- $routes := list -}}
{{- range .Values.peers -}}
{{- $routes = append $routes .name -}}
{{- end -}}
{{- $listeners := list -}}
{{- range (include "uturn.listeners" . | fromJson).items -}}
{{- $listener := dict "name" .name "protocol" .name "port" (int .port) "address" "$STUNNER_ADDR" "min_relay_port" (int $.Values.relayPorts.min) "max_relay_port" (int $.Values.relayPorts.max) "public_address" "$STUNNER_PUBLIC_ADDR" "routes" $routes -}}
{{- $_ := set $listener "public_port" (ternary (int .servicePort) "$STUNNER_PUBLIC_PORT" (ne .name "udp")) -}}
{{- if or (eq .name "tls") (eq .name "dtls") -}}
{{- $_ := set $listener "cert" "/etc/uturn-tls/tls.crt" -}}
{{- $_ := set $listener "key" "/etc/uturn-tls/tls.key" -}}
{{- end -}}
{{- $listeners = append $listeners $listener -}}
{{- end -}}
{{- $config := dict "version" "v1alpha1" "admin" $admin "auth" $auth "clusters" .Values.peers "listeners" $listeners -}}
{{- toPrettyJson (mergeOverwrite $config (deepCopy .Values.config)) | replace "\\u003c" "<" | replace "\\u003e" ">" -}}
{{- end -}}

{{/* What the relay reads at its start, and applications too. */}}
{{- define "uturn.environment" -}}
STUNNER_REALM: {{ .Values.auth.realm | quote }}
STUNNER_AUTH_TYPE: {{ .Values.auth.type | quote }}
STUNNER_PORT: {{ .Values.listeners.udp.port | quote }}
STUNNER_TRANSPORT_UDP_ENABLE: {{ ternary "1" "" .Values.listeners.udp.enabled | quote }}
STUNNER_TRANSPORT_TCP_ENABLE: {{ ternary "1" "" .Values.listeners.tcp.enabled | quote }}
STUNNER_MIN_PORT: {{ .Values.relayPorts.min | quote }}
STUNNER_MAX_PORT: {{ .Values.relayPorts.max | quote }}
STUNNER_DURATION: "86400"
STUNNER_LOGLEVEL: {{ .Values.logLevel | quote }}
{{- with .Values.publicAddress }}
STUNNER_PUBLIC_ADDR: {{ . | quote }}
{{- end }}
{{- with .Values.publicPort }}
STUNNER_PUBLIC_PORT: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* Changes when a running pod cannot take the change up by itself: everything but clusters, which are watched. */}}
{{- define "uturn.checksum" -}}
{{- $config := include "uturn.relayConfig" . | fromJson -}}
{{- $auth := omit .Values.auth "type" "realm" -}}
{{- printf "%s%s%s" (include "uturn.environment" .) (toJson (omit $config "clusters")) (toJson $auth) | sha256sum -}}
{{- end -}}

{{/*
Helm 3 merges the ports of a Service by their numbers. Where UDP and TCP share one, a change of either ends with a port lost, or gets the other's fields, without
a word: such an upgrade is refused, with what helps. (list . name listeners)
*/}}
{{- define "uturn.mergeable" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $namespace := $root.Release.Namespace -}}
{{- $live := lookup "v1" "Service" $namespace $name -}}
{{- if and $root.Release.IsUpgrade $live -}}
{{- $have := dict -}}
{{- range $live.spec.ports -}}
{{- $_ := set $have (printf "%d/%s" (int .port) .protocol) . -}}
{{- end -}}
{{- $want := dict -}}
{{- $ports := list -}}
{{- range index . 2 -}}
{{- $port := dict "name" (printf "stunner-%s" .name) "protocol" .transport "port" (int .servicePort) "targetPort" (int .port) -}}
{{- if .nodePort -}}
{{- $_ := set $port "nodePort" (int .nodePort) -}}
{{- end -}}
{{- $ports = append $ports $port -}}
{{- $_ := set $want (printf "%d/%s" (int .servicePort) .transport) $port -}}
{{- end -}}
{{- $all := concat (keys $have) (keys $want) | uniq -}}
{{- $added := false -}}
{{- $changed := false -}}
{{- range $all -}}
{{- $number := splitList "/" . | first -}}
{{- if and (has (printf "%s/UDP" $number) $all) (has (printf "%s/TCP" $number) $all) -}}
{{- $old := index $have . | default dict -}}
{{- $new := index $want . | default dict -}}
{{- $same := and (eq (toString $old.targetPort) (toString $new.targetPort)) (or (not $new.nodePort) (eq (int $old.nodePort) (int $new.nodePort))) -}}
{{- if and (not $same) (hasKey $have (printf "%s/UDP" $number)) (hasKey $have (printf "%s/TCP" $number)) -}}
{{- $changed = true -}}
{{- else if not $same -}}
{{- $added = true -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $why := printf "Service %s/%s: UDP and TCP share a port number, before or after, and Helm's merge would lose one of them." $namespace $name -}}
{{- if $changed -}}
{{- fail (printf "%s Delete the Service (its address may change), then repeat this: kubectl delete service %s -n %s" $why $name $namespace) -}}
{{- else if $added -}}
{{- fail (printf "%s Give it its ports, then repeat this: kubectl patch service %s -n %s --type json -p '[{\"op\":\"replace\",\"path\":\"/spec/ports\",\"value\":%s}]'" $why $name $namespace (toJson $ports)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Mistakes that the schema cannot see. */}}
{{- define "uturn.validate" -}}
{{- if and .Values.metrics.podMonitor.enabled .Values.metrics.serviceMonitor.enabled -}}
{{- fail "metrics.podMonitor and metrics.serviceMonitor: enable one; with both everything is counted twice" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (eq .Values.kind "DaemonSet") -}}
{{- fail "autoscaling: a DaemonSet has as many pods as there are nodes; use kind Deployment" -}}
{{- end -}}
{{- if gt (int .Values.relayPorts.min) (int .Values.relayPorts.max) -}}
{{- fail "relayPorts: min is greater than max" -}}
{{- end -}}
{{- if and .Values.credentialsEndpoint.enabled (eq .Values.auth.type "none") -}}
{{- fail "credentialsEndpoint: there are no credentials to give out with auth.type none" -}}
{{- end -}}
{{- end -}}
