#!/usr/bin/python3
"""What the daemon says of its interfaces is what daemon/data/*.xml says, and nothing else."""

import difflib
import xml.etree.ElementTree as ElementTree

import buscalls
from buscalls import (CONNECTION_INTERFACE, INTERFACE_INTERFACE, MANAGER, MANAGER_INTERFACE,
                      PLUGIN_INTERFACE, connections, stage)
from harness import check
from lab import Failed

# What sd-bus adds to every object.
STANDARD = {"org.freedesktop.DBus.Peer", "org.freedesktop.DBus.Introspectable",
            "org.freedesktop.DBus.Properties", "org.freedesktop.DBus.ObjectManager"}


def annotations(element):
    return "".join(f" [{each.get('name')}={each.get('value')}]"
                   for each in sorted(element.findall("annotation"), key=lambda a: a.get("name")))


def argument(element):
    """Of methods "in" is the default, of signals there is only "out"."""
    return (f"{element.get('direction', '')} {element.get('type')} {element.get('name')}"
            + annotations(element)).strip()


def member(element):
    """One line for a method, signal or property."""
    if element.tag == "property":
        text = f"{element.get('type')} {element.get('access')}"
    else:
        text = "(" + ", ".join(argument(each) for each in element.findall("arg")) + ")"
    return f"{element.tag} {element.get('name')} {text}{annotations(element)}"


def interfaces(root):
    """Lines of each interface, sorted: the order of members says nothing."""
    return {each.get("name"): sorted(member(child) for child in each
                                     if child.tag in ("method", "signal", "property"))
            + [annotations(each).strip()]
            for each in root.findall("interface")}


def written(name):
    root = ElementTree.parse(f"{buscalls.DATA}/{name}.xml").getroot()
    return interfaces(root)


def introspected(path):
    text = buscalls.call(path, "org.freedesktop.DBus.Introspectable", "Introspect")[0]
    found = interfaces(ElementTree.fromstring(text))
    return {name: lines for name, lines in found.items() if name not in STANDARD}


def agree(path, name):
    """The object at path has this interface of the XML, and no other of ours."""
    wanted, found = written(name), introspected(path)
    if set(found) != set(wanted):
        raise Failed(f"{path} has {sorted(found)}, the XML {sorted(wanted)}")
    difference = list(difflib.unified_diff(wanted[name], found[name], f"{name}.xml", path,
                                           lineterm="", n=0))
    if difference:
        raise Failed("they differ:\n" + "\n".join(difference))
    check(len(found[name]) > 1, f"{path}: {len(found[name]) - 1} members as in {name}.xml")


def test_introspection_manager_is_the_xml(lab):
    """/org/mptcpize1"""
    stage(lab)
    agree(MANAGER, MANAGER_INTERFACE)


def test_introspection_connection_is_the_xml(lab):
    """An object below /org/mptcpize1/connection"""
    stage(lab)
    with connections(1):
        rows = buscalls.list_rows(0, 10)[0]
        agree(buscalls.connection_path(rows[0]["Token"]), CONNECTION_INTERFACE)


def test_introspection_interface_is_the_xml(lab):
    """An object below /org/mptcpize1/interface"""
    stage(lab)
    agree(f"{MANAGER}/interface/lo", INTERFACE_INTERFACE)


def test_introspection_plugin_is_the_xml(lab):
    """An object below /org/mptcpize1/plugin"""
    stage(lab)
    agree(f"{MANAGER}/plugin/fullmesh", PLUGIN_INTERFACE)


def test_introspection_every_property_can_be_read(lab):
    """All that the XML names, with the type that it says."""
    stage(lab)
    with connections(1):
        rows = buscalls.list_rows(0, 10)[0]
        for path, name in ((MANAGER, MANAGER_INTERFACE),
                           (buscalls.connection_path(rows[0]["Token"]), CONNECTION_INTERFACE),
                           (f"{MANAGER}/interface/lo", INTERFACE_INTERFACE),
                           (f"{MANAGER}/plugin/backup", PLUGIN_INTERFACE)):
            root = ElementTree.parse(f"{buscalls.DATA}/{name}.xml").getroot()
            names = [each.get("name") for each in root.iter("property")]
            check(len(buscalls.get(path, name, *names)) == len(names),
                  f"{len(names)} properties of {path}")


buscalls.main([test_introspection_manager_is_the_xml,
               test_introspection_connection_is_the_xml,
               test_introspection_interface_is_the_xml,
               test_introspection_plugin_is_the_xml,
               test_introspection_every_property_can_be_read])
