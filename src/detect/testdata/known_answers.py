"""Makes known_answers.tsv: python3 known_answers.py > known_answers.tsv"""
import base64, hashlib, urllib.parse
DATA = [
 ("imei","490154203237518",["490154203237518","49015420323751","490154203237510","49-015420-323751-8","49 015420 323751 8"]),
 ("imsi","001010123456789",["001010123456789"]),
 ("iccid","8944200000000000003",["8944200000000000003","8944 2000 0000 0000 003"]),
 ("phone","+447700900123",["+447700900123","447700900123","00447700900123","07700900123","7700900123","+44 7700 900123","07700 900123","+44-7700-900123","07700-900123","(07700) 900123","+44 (0)7700 900123","+44(0)7700900123","0044 7700 900123","44 7700 900123"]),
 ("phone","+12125550123",["+12125550123","12125550123","0012125550123","2125550123","(212) 555-0123","(212)555-0123","212-555-0123","212.555.0123","+1 212-555-0123","1-212-555-0123"]),
 ("mac","00:00:5e:00:53:2a",["00:00:5e:00:53:2a","00:00:5E:00:53:2A","00-00-5e-00-53-2a","00-00-5E-00-53-2A","00005e00532a","00005E00532A","0000.5e00.532a"]),
 ("android_id","9b3f5c71d20e64a8",["9b3f5c71d20e64a8","9B3F5C71D20E64A8"]),
 ("uuid","f81d4fae-7dec-11d0-a765-00a0c91e6bf6",["f81d4fae-7dec-11d0-a765-00a0c91e6bf6","F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6","f81d4fae7dec11d0a76500a0c91e6bf6"]),
 ("serial","HM1SW0042AB",["HM1SW0042AB","hm1sw0042ab"]),
 ("name","Ada Quillfeather",["Ada Quillfeather","Quillfeather Ada","Quillfeather, Ada","ada quillfeather","ADA QUILLFEATHER"]),
 ("name","José Núñez",["José Núñez","Núñez José","JOSÉ NÚÑEZ"]),
 ("operator","Example Mobile",["Example Mobile","EXAMPLE MOBILE"]),
 ("email","ada.quill@example.org",["ada.quill@example.org","ADA.QUILL@EXAMPLE.ORG"]),
 ("text","Brena asks for the lamp at Toska code x7k2m9",["Brena asks for the lamp at Toska code x7k2m9"]),
 ("location","51.477928,-0.001545",["51.477928,-0.001545","51.477928, -0.001545","51.477928"]),
]
def row(kind,value,chain,carrier): print("\t".join([kind,value,chain,carrier]))
print("# Made by an independent implementation (Python 3: base64, hashlib, urllib.parse), not by this program.")
print("# kind, value, the end of the chain, a text that carries the value in that form.")
for kind,value,spellings in DATA:
  for s in spellings:
    b=s.encode()
    row(kind,value,"","id=%s;" % s)
    q=urllib.parse.quote(s,safe="")
    if q!=s: row(kind,value,"percent","id=%s&"%q); row(kind,value,"percent","id=%s&"%q.replace("%2B","%2b"))
    for k in range(3):
      pre=b"<>|"[:k]
      for post in (b"",b"<",b"|>"):
        e=base64.b64encode(pre+b+post).decode()
        row(kind,value,"base64","id:%s"%e)
        u=base64.urlsafe_b64encode(pre+b+post).decode().rstrip("=")
        if u!=e: row(kind,value,"base64","id:%s"%u)
    row(kind,value,"hex","id:"+b.hex()); row(kind,value,"hex","id:"+b.hex().upper())
    if s.isascii(): row(kind,value,"utf-16le","id:"+s.encode("utf-16le").decode("latin-1").replace("\0","\\0"))
    for a in ("md5","sha1","sha256"):
      d=hashlib.new(a,b).digest()
      row(kind,value,a+" hex","h="+d.hex()); row(kind,value,a+" hex","h="+d.hex().upper())
      row(kind,value,a+" base64","h:"+base64.b64encode(d).decode())
      row(kind,value,a+" base64","h:"+base64.urlsafe_b64encode(d).decode())
    row(kind,value,"sha1 base64url[..16]","/pass/"+base64.urlsafe_b64encode(hashlib.sha1(b).digest())[:16].decode()+"/x")
