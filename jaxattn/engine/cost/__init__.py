"""What a sweep will cost: time, memory, disk, and the layout that fits."""
