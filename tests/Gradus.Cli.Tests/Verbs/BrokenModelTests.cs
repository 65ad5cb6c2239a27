using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;

namespace Gradus.Cli.Tests.Verbs;

/// <summary>Files are hostile: every verb that reads a model says in one line what is wrong with it.</summary>
public sealed class BrokenModelTests(SmallModel models) : IClassFixture<SmallModel>
{
    [Fact]
    public void TruncatedWeights()
    {
        string folder = models.Copy("truncated"), weights = Path.Combine(folder, "model.safetensors");
        byte[] bytes = File.ReadAllBytes(weights);
        foreach (int length in new[] { 0, 5, 100, bytes.Length - 1 })
        {
            File.WriteAllBytes(weights, bytes[..length]);
            EveryVerb(folder, "model.safetensors");
        }
    }

    [Theory]
    [InlineData("length")]
    [InlineData("offsets")]
    [InlineData("shape")]
    [InlineData("overlap")]
    public void AHeaderThatLies(string lie)
    {
        string folder = models.Copy($"lying-{lie}"), weights = Path.Combine(folder, "model.safetensors");
        byte[] bytes = File.ReadAllBytes(weights);
        int length = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        JsonObject header = JsonNode.Parse(bytes.AsSpan(8, length))!.AsObject();
        JsonObject norm = header["model.norm.weight"]!.AsObject(), table = header["model.embed_tokens.weight"]!.AsObject();
        switch (lie)
        {
            case "offsets":
                norm["data_offsets"] = new JsonArray(0, 1L << 40);
                break;
            case "shape":
                table["shape"] = new JsonArray(1 << 20, 1 << 20);
                break;
            case "overlap":
                norm["data_offsets"] = new JsonArray(0, 64);
                break;
        }
        byte[] written = Encoding.UTF8.GetBytes(header.ToJsonString());
        byte[] prefix = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(prefix, lie == "length" ? long.MaxValue : written.Length);
        File.WriteAllBytes(weights, [.. prefix, .. written, .. bytes.AsSpan(8 + length)]);
        EveryVerb(folder, "model.safetensors");
    }

    [Fact]
    public void FilesThatDoNotBelongTogether()
    {
        string folder = models.Copy("mixed");
        File.Copy(Path.Combine(models.Gpt2, "config.json"), Path.Combine(folder, "config.json"), overwrite: true);
        CommandLineRun.Of("generate", folder, "-p", "a").Fails(2, "model.safetensors");
        CommandLineRun.Of("convert", folder, models["never"]).Fails(2, "model.safetensors");
        Assert.False(Directory.Exists(models["never"]));
    }

    [Fact]
    public void ATokenizerThatDoesNotFit()
    {
        string folder = models.Copy("misfit");
        SmallModel.Tokenizer("äöü").Save(folder);
        EveryVerb(folder, "the tokenizer does not fit the model");
    }

    [Fact]
    public void MissingAndBrokenFiles()
    {
        string folder = models.Copy("missing");
        File.Delete(Path.Combine(folder, "tokenizer.json"));
        CommandLineRun.Of("generate", folder, "-p", "a").Fails(2, folder, "tokenizer");
        File.Delete(Path.Combine(folder, "model.safetensors"));
        CommandLineRun.Of("inspect", folder).Fails(2, folder, "no checkpoint in this folder");
        File.WriteAllText(Path.Combine(folder, "config.json"), "{\"model_type\": \"llama\",\n");
        CommandLineRun.Of("inspect", folder).Fails(2, "config.json", "not valid JSON");
        File.WriteAllText(Path.Combine(folder, "config.json"), "{\"model_type\": \"mamba\"}");
        CommandLineRun.Of("inspect", folder).Fails(2, "config.json", "\"mamba\" is not supported", "llama");
        File.WriteAllText(Path.Combine(folder, "config.json"), "{\"model_type\": \"llama\", \"hidden_size\": \"wide\"}");
        CommandLineRun.Of("inspect", folder).Fails(2, "config.json", "hidden_size");
        // Not what the folder's model is read from.
        string others = models.Copy("others"), other = Path.Combine(others, "adapter.safetensors");
        File.Copy(Path.Combine(others, "model.safetensors"), other);
        CommandLineRun.Of("generate", other).Fails(2, "is a file", "gradus convert");
        CommandLineRun.Of("inspect", models.WriteFile("notes.safetensors", "just some notes, long enough")).Fails(2, "notes.safetensors");
    }

    [Fact]
    public void AdaptersWithoutTheirBase()
    {
        string folder = models["lost"], config = Path.Combine(folder, "adapter_config.json");
        Directory.CreateDirectory(folder);
        foreach (string file in Directory.GetFiles(models.Adapter))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        JsonObject json = JsonNode.Parse(File.ReadAllText(config))!.AsObject();
        json["base_model_name_or_path"] = "nowhere";
        File.WriteAllText(config, json.ToJsonString());
        CommandLineRun.Of("generate", folder, "-p", "a").Fails(2, "adapter_config.json", "there is no folder or file nowhere");
        json["base_model_name_or_path"] = models.Gpt2;
        File.WriteAllText(config, json.ToJsonString());
        CommandLineRun.Of("generate", folder, "-p", "a").Fails(2, folder);
        json["base_model_name_or_path"] = folder;
        File.WriteAllText(config, json.ToJsonString());
        CommandLineRun.Of("generate", folder, "-p", "a").Fails(2, "is an adapter itself");
        json.Remove("base_model_name_or_path");
        File.WriteAllText(config, json.ToJsonString());
        CommandLineRun.Of("generate", folder, "-p", "a").Fails(2, "base_model_name_or_path is missing");
    }

    [Fact]
    public void ALlama2cFileThatIsCut()
    {
        byte[] model = new byte[28 + 64];
        BinaryPrimitives.WriteInt32LittleEndian(model, 64);
        CommandLineRun.Of("convert", models.WriteFile("cut.bin", model), models["never"]).Fails(2, "cut.bin");
        CommandLineRun.Of("tokenizer", "inspect", models.WriteFile("tok.bin", [7, 0, 0, 0, 1, 2])).Fails(2, "tok.bin");
    }

    private void EveryVerb(string folder, string words)
    {
        CommandLineRun.Of("inspect", folder).Fails(2, folder, words);
        CommandLineRun.Of("generate", folder, "-p", "a").Fails(2, folder, words);
        CommandLineRun.Of("convert", folder, models["never"]).Fails(2, folder, words);
        Assert.False(Directory.Exists(models["never"]));
    }
}
