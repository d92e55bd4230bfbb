"""Files that say which objects lie where in pictures: YOLO, COCO and VOC."""
