#!/usr/bin/env bash
# A Slurm of one node on this machine, from Debian's or Ubuntu's packages, to try `--engine slurm` for real (root; two minutes).
#   sudo bash tools/slurm.sh && .venv/bin/python -m pytest -m slurm
# To end it: sudo pkill slurmctld; sudo pkill slurmd; sudo pkill munged
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
command -v slurmctld slurmd munged > /dev/null || { apt-get update -qq; apt-get install -y -qq --no-install-recommends slurm-wlm munge; }

node=$(hostname -s)
install -d /etc/slurm /var/spool/slurm/state /var/spool/slurm/node
cat > /etc/slurm/slurm.conf <<CONF
ClusterName=here
SlurmctldHost=$node
SlurmUser=root
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
StateSaveLocation=/var/spool/slurm/state
SlurmdSpoolDir=/var/spool/slurm/node
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
SlurmctldLogFile=/var/log/slurmctld.log
SlurmdLogFile=/var/log/slurmd.log
NodeName=$node CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF

install -d -o munge -g munge /run/munge /var/log/munge /var/lib/munge
test -s /etc/munge/munge.key || { head -c 1024 /dev/urandom > /etc/munge/munge.key; chmod 400 /etc/munge/munge.key; }
chown munge: /etc/munge/munge.key
pgrep -x munged > /dev/null || runuser -u munge -- munged
pgrep -x slurmctld > /dev/null || slurmctld
pgrep -x slurmd > /dev/null || slurmd
for _ in $(seq 60); do
  if sinfo --noheader --states=idle,mixed,allocated | grep -q .; then
    sinfo
    exit 0
  fi
  sleep 1
done
echo "no node came up: see /var/log/slurmctld.log and /var/log/slurmd.log" >&2
exit 1
