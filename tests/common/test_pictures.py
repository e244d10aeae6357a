from pathlib import Path

from stages.common.pictures import Picture, load_pictures


def test_the_index_is_read(tmp_path: Path) -> None:
    (tmp_path / "classes.json").write_text('["background", "ring", "star"]')
    (tmp_path / "index.csv").write_text(
        "id,file,split,width,height,labels\na,a.jpg,train,5,4,star;ring\nb,b.png,train,2,1,\nc,c.jpg,val,9,9,star\n"
    )
    pictures = load_pictures(tmp_path)
    assert pictures.classes == ("background", "ring", "star")
    assert pictures.all[0] == Picture("a", tmp_path / "images" / "a.jpg", "train", 5, 4, (1, 2))
    assert pictures.all[1].labels == ()
    assert [picture.id for picture in pictures.split("val")] == ["c"]
    assert pictures.split("test") == []
