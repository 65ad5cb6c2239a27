using System.Text;
using System.Text.Json.Nodes;
using Gradus.Files;

namespace Gradus.Tests.Files;

/// <summary>Files that are not what their names say are called what they are, whichever reader meets them.</summary>
public sealed class ForeignFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 440449768\n", "Git LFS pointer to a file of 440,449,768 bytes")]
    [InlineData("<!DOCTYPE html>\n<html><head><title>Sign in</title>", "HTML page")]
    [InlineData("\n  <html lang=\"en\">", "HTML page")]
    [InlineData("<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "XML text")]
    [InlineData("Entry not found", "'Entry not found'")]
    [InlineData("", "is empty")]
    [InlineData("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "nothing but zeros")]
    public void AreCalledWhatTheyAre(string content, string what)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(content);
        foreach (string name in (string[])["model.safetensors", "model.gguf", "pytorch_model.bin"])
            Says(() => TensorFile.Open(_folder.Write(name, bytes)), what);
        Says(() => GgufFile.Open(_folder.Write("model.gguf", bytes)), what);
        Says(() => Checkpoint.ReadObject(_folder.Write("config.json", bytes)), what);
    }

    [Fact]
    public void ArchivesAndOldFormatsAreCalledWhatTheyAre()
    {
        Says(() => TensorFile.Open(_folder.Write("a.safetensors", [0x1F, 0x8B, 8, 1, .. new byte[60]])), "gzip archive");
        Says(() => TensorFile.Open(_folder.Write("b.bin", [0x89, .. "HDF\r\n"u8, .. new byte[60]])), "HDF5");
        Says(() => GgufFile.Open(_folder.Write("c.gguf", [.. "tjgg"u8, 3, 0, 0, 0, .. new byte[60]])), "before GGUF");
        Says(() => TensorFile.Open(_folder.Write("d.safetensors", """{"error":"Repository not found"}"""u8.ToArray())), "JSON text");
    }

    [Fact]
    public void JsonIsReadAsPythonReadsIt()
    {
        byte[] text = Encoding.UTF8.GetBytes("{ \"a\": 1, \"b\": [NaN, -Infinity, Infinity], \"c\": \"NaN \\\" Infinity\", \"a\": 2 }\r\n");
        foreach (byte[] file in (byte[][])[text, [0xEF, 0xBB, 0xBF, .. text], [0xFF, 0xFE, .. Encoding.Unicode.GetBytes(Encoding.UTF8.GetString(text))]])
        {
            JsonObject json = Checkpoint.ReadObject(_folder.Write("config.json", file));
            Assert.Equal("""{"a":2,"b":["NaN","-Infinity","Infinity"],"c":"NaN \u0022 Infinity"}""", json.ToJsonString());
            Assert.Equal(2, (int)json["a"]!);
        }
        Says(() => Checkpoint.ReadObject(_folder.Write("config.json", "{\n\"a\": \"\\ud800\" }"u8.ToArray())), "not valid Unicode");
        Says(() => Checkpoint.ReadObject(_folder.Write("config.json", "{\n\"a\": NaNs }"u8.ToArray())), "line 2: not valid JSON");
        Says(() => Checkpoint.ReadObject(_folder.Write("config.json", "[1]"u8.ToArray())), "not an object");
    }

    private static void Says(Action open, string what)
    {
        InvalidDataException e = Assert.Throws<InvalidDataException>(open);
        Assert.Contains(what, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
    }
}
