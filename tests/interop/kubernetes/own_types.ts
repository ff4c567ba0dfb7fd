// Kinds that no package has types of: STUNner's Dataplane (stunner.l7mp.io/v1) and the Security Profiles Operator's SeccompProfile
// (v1beta1), with the fields that their resource definitions know.
import { IAffinity } from "kubernetes-models/v1/Affinity";
import { IEnvFromSource } from "kubernetes-models/v1/EnvFromSource";
import { IEnvVar } from "kubernetes-models/v1/EnvVar";
import { ILocalObjectReference } from "kubernetes-models/v1/LocalObjectReference";
import { IPodSecurityContext } from "kubernetes-models/v1/PodSecurityContext";
import { IResourceRequirements } from "kubernetes-models/v1/ResourceRequirements";
import { ISecurityContext } from "kubernetes-models/v1/SecurityContext";
import { IToleration } from "kubernetes-models/v1/Toleration";
import { ITopologySpreadConstraint } from "kubernetes-models/v1/TopologySpreadConstraint";

interface ClusterMetadata {
  name: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

export interface IDataplane {
  apiVersion: "stunner.l7mp.io/v1";
  kind: "Dataplane";
  metadata: ClusterMetadata;
  spec: {
    image?: string;
    imagePullPolicy?: "Always" | "IfNotPresent" | "Never";
    imagePullSecrets?: ILocalObjectReference[];
    dataplaneResource?: "Deployment" | "DaemonSet";
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    command?: string[];
    args?: string[];
    envFrom?: IEnvFromSource[];
    env?: IEnvVar[];
    containerSecurityContext?: ISecurityContext;
    replicas?: number;
    resources?: IResourceRequirements;
    terminationGracePeriodSeconds?: number;
    hostNetwork?: boolean;
    affinity?: IAffinity;
    securityContext?: IPodSecurityContext;
    tolerations?: IToleration[];
    topologySpreadConstraints?: ITopologySpreadConstraint[];
    disableHealthCheck?: boolean;
    enableMetricsEndpoint?: boolean;
    offloadEngine?: "None" | "XDP" | "TC" | "Auto";
    offloadInterfaces?: string[];
  };
}

type Action = "SCMP_ACT_ALLOW" | "SCMP_ACT_ERRNO" | "SCMP_ACT_KILL_PROCESS" | "SCMP_ACT_LOG";
type Comparison = "SCMP_CMP_NE" | "SCMP_CMP_LT" | "SCMP_CMP_LE" | "SCMP_CMP_EQ" | "SCMP_CMP_GE" | "SCMP_CMP_GT" | "SCMP_CMP_MASKED_EQ";

export interface ISeccompProfile {
  apiVersion: "security-profiles-operator.x-k8s.io/v1beta1";
  kind: "SeccompProfile";
  metadata: ClusterMetadata;
  spec: {
    baseProfileName?: string;
    defaultAction: Action;
    architectures?: ("SCMP_ARCH_X86_64" | "SCMP_ARCH_AARCH64")[];
    syscalls?: {
      names: string[];
      action: Action;
      errnoRet?: number;
      args?: { index: number; value?: number; valueTwo?: number; op: Comparison }[];
    }[];
  };
}
