# SPDX-License-Identifier: GPL-3.0-or-later
"""What the network tests stand on: namespaces and raw frames (netns), packets
(packet), the frames that a wire must carry (frames), an eNodeB and an SGW
(emulator), the lab and the REST API (lab), what UEs say to a service
(service)."""
