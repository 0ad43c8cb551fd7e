def test_it():
    import time,tempfile
    from pathlib import Path
    from tests.end_to_end import worlds
    d=Path(tempfile.mkdtemp())
    t=time.time(); c=worlds.write_clip(d/"c.safetensors"); v=worlds.write_voc(d/"V"); print("write",time.time()-t)
    t=time.time(); r=worlds.train(d/"r",*worlds.voc_changes(v,c)); print(r,"train",time.time()-t)
    t=time.time(); r=worlds.train(d/"r2",*worlds.voc_changes(v,c)); print(r,"train",time.time()-t)
    print((d/"r"/"log.jsonl").read_text()); print(sorted(worlds.folder_content(d/"r")))
    from weclip import cli
    t=time.time(); print(cli.run(["predict","--model",str(d/"r"),str(v/"JPEGImages"),"--out",str(d/"p"),"--overlays"]),time.time()-t)
    t=time.time(); print(cli.run(["evaluate","--model",str(d/"r"),"--out",str(d/"e")]),time.time()-t)
    print((d/"e"/"evaluation.json").read_text())
    for a in ([],["--help"],["train"],["train","-x"],["foo"],["train","--config","voc"],["predict","--model"],["demo","--out",str(d/"x"),"--seed","-1"],["demo","--out",str(d/"x"),"--seed","a"]):
        print(a,cli.run(a))
