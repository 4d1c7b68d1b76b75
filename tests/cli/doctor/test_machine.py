"""The machine is judged by what its control groups, its load and its clock say."""

import math

import pytest

from compress.cli.doctor.machine import (
    check_clock,
    check_cpus,
    check_governor,
    check_load,
    check_machine,
    read_quota,
)


def system(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, math.inf),
        ({"proc/self/cgroup": "0::/\n"}, math.inf),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, math.inf),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/b/cpu.max": "400000 100000\n",
                "sys/fs/cgroup/a/cpu.max": "200000 100000\n",
            },
            2.0,
        ),
        ({"proc/self/cgroup": "0::/docker/its-path-outside\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}, 0.5),
        (
            {
                "proc/self/cgroup": "3:cpuset:/\n1:cpu,cpuacct:/job\n",
                "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us": "300000\n",
                "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            3.0,
        ),
    ],
)
def test_the_quota_is_the_smallest_of_the_groups_above_the_process(tmp_path, files, quota):
    assert read_quota(system(tmp_path, files)) == quota


@pytest.mark.parametrize(
    ("cpus", "quota", "state"),
    [(1, math.inf, "warn"), (2, math.inf, "ok"), (8, 0.5, "warn"), (8, 4.0, "warn"), (4, 4.0, "ok")],
)
def test_too_few_processors_and_a_quota_are_warned_of(cpus, quota, state):
    assert check_cpus(cpus, quota).state == state


@pytest.mark.parametrize(("average", "cpus", "state"), [(0.3, 2, "ok"), (1.4, 2, "warn"), (1.4, 8, "ok")])
def test_a_load_is_judged_by_the_processor(average, cpus, state):
    assert check_load(average, cpus).state == state


def test_the_frequency_is_told_where_the_system_tells_it(tmp_path):
    assert check_governor(tmp_path).state == "ok"
    governors = {f"sys/devices/system/cpu/cpu{n}/cpufreq/scaling_governor": "performance\n" for n in (0, 10)}
    assert check_governor(system(tmp_path, governors)).state == "ok"
    found = check_governor(system(tmp_path, {next(iter(governors)): "powersave\n"}))
    assert (found.state, found.said) == ("warn", "governed by performance, powersave")


@pytest.mark.parametrize(
    ("monotonic", "step_s", "state"), [(True, 1e-7, "ok"), (True, 1e-5, "warn"), (False, 1e-7, "wrong")]
)
def test_a_clock_must_be_fine_and_never_go_back(monotonic, step_s, state):
    assert check_clock(monotonic, step_s).state == state


def test_every_check_of_the_machine_has_an_answer_here():
    checks = [one.check for one in check_machine()]
    assert checks == ["processors", "load", "frequency", "clock"]
