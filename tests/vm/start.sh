#!/bin/sh
# start.sh MODULES COMMAND...: the first process of a machine with the host's files (hostroot.py).
# Runs the command with the second serial line as its output, and switches the machine off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
modules=$1
shift
mount -t cgroup2 groups /sys/fs/cgroup
mkdir -p /dev/pts /dev/shm /lib/modules
mount -t devpts terminals /dev/pts
mount -t tmpfs shared /dev/shm
mount --bind "$modules" /lib/modules
ip link set lo up
"$@" >/dev/ttyS1 2>&1 </dev/null
echo "ended with $?"
echo o >/proc/sysrq-trigger
sleep 60 # the first process must not end before that is done
