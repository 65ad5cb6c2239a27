using System.Text;
using Gradus.Cli.Configuration;

namespace Gradus.Cli.Tests.Configuration;

public sealed class FileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("gradus-configuration-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static SampleRecipe Load(string file, params string[] overrides)
    {
        return ConfigurationTree.Load(SampleContext.Default.SampleRecipe, new SampleRecipe(), file, overrides);
    }

    private string Write(byte[] bytes)
    {
        string file = Path.Combine(_folder, "r.json");
        File.WriteAllBytes(file, bytes);
        return file;
    }

    private static string Problem(string file) => Assert.Throws<ConfigurationException>(() => Load(file)).Message;

    [Fact]
    public void AFileIsReadWithOrWithoutAMark()
    {
        byte[] json = Encoding.UTF8.GetBytes("""{ "training": { "name": "é" } }""");
        Assert.Equal("é", Load(Write(json)).Training.Name);
        Assert.Equal("é", Load(Write([.. Encoding.UTF8.Preamble, .. json])).Training.Name);
        Assert.Equal(9, Load(Write(json), "--seed=9").Seed);
    }

    [Fact]
    public void PositionsDoNotCountTheMark()
    {
        string file = Write([.. Encoding.UTF8.Preamble, .. "{ \"seed\": x }"u8]);
        Assert.StartsWith($"{file}:1:11: not valid JSON: ", Problem(file), StringComparison.Ordinal);
    }

    [Fact]
    public void ColumnsCountCharacters()
    {
        string file = Write(Encoding.UTF8.GetBytes("{\n  /* é😀 */ \"sed\": 1 }"));
        Assert.StartsWith($"{file}:2:13: sed: unknown key", Problem(file), StringComparison.Ordinal);
    }

    [Fact]
    public void AMissingFileAFolderAndAHugeFileAreRefused()
    {
        string missing = Path.Combine(_folder, "none.json");
        Assert.Equal($"{missing}: no such file", Problem(missing));
        Assert.Equal($"{missing}/x: no such file", Problem($"{missing}/x"));
        Assert.Equal(": no such file", Problem(""));
        Assert.Equal($"{_folder}: is a directory; give the path of a recipe (a JSON file)", Problem(_folder));
        string huge = Path.Combine(_folder, "model.safetensors");
        using (FileStream stream = File.Create(huge))
            stream.SetLength(ConfigurationTree.LargestRecipe + 1L);
        Assert.Equal($"{huge}: is larger than 16 MiB, so it is no recipe (a JSON file)", Problem(huge));
    }

    [Fact]
    public void OtherEncodingsAreRefused()
    {
        string file = Write([.. "{\n \"seed\": \""u8, 0xE9, (byte)'"', (byte)'}']);
        Assert.Equal($"{file}:2:11: is not UTF-8 text; save the recipe as UTF-8", Problem(file));
        Assert.Equal($"{file}:1:1: is not UTF-8 text; save the recipe as UTF-8", Problem(Write([.. Encoding.Unicode.Preamble, .. Encoding.Unicode.GetBytes("{}")])));
    }
}
