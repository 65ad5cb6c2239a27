using System.Text.Json;
using Gradus.Files;
using Gradus.Tensors;
using Gradus.Testing;

namespace Gradus.Cli.Tests.Verbs;

public sealed class ModelVerbTests(SmallModel models) : IClassFixture<SmallModel>
{
    [Fact]
    public void InspectTellsWhatAModelIs()
    {
        JsonElement facts = CommandLineRun.Of("inspect", models.Llama, "--tensors", "--json").Json();
        using TensorFile file = TensorFile.Open(models.Llama);
        Assert.Equal("LlamaForCausalLM", facts.GetProperty("architecture").GetString());
        Assert.Equal(SmallModel.Context, facts.GetProperty("context_length").GetInt32());
        Assert.Equal(file.Entries.Sum(e => e.Shape.Count), facts.GetProperty("parameters").GetInt64());
        Assert.Equal(4 * file.Entries.Sum(e => e.Shape.Count), facts.GetProperty("memory").GetProperty("f32").GetInt64());
        Assert.Equal(SmallModel.Tokenizer().VocabularySize, facts.GetProperty("tokenizer").GetProperty("vocabulary_size").GetInt32());
        Assert.Contains("im_start", facts.GetProperty("chat_template").GetString(), StringComparison.Ordinal);
        JsonElement tensors = facts.GetProperty("tensor_list");
        Assert.Equal(file.Entries.Select(e => e.Name), tensors.EnumerateArray().Select(t => t.GetProperty("name").GetString()));
        Assert.Contains("model.embed_tokens.weight", CommandLineRun.Of("inspect", models.Llama, "--tensors").Succeeds().Output, StringComparison.Ordinal);
    }

    [Fact]
    public void InspectReadsAFileOfTensors()
    {
        JsonElement facts = CommandLineRun.Of("inspect", Path.Combine(models.Gpt2, "model.safetensors"), "--json").Json();
        Assert.Equal(CommandLineRun.Of("inspect", models.Gpt2, "--json").Json().GetProperty("parameters").GetInt64(), facts.GetProperty("parameters").GetInt64());
    }

    [Fact]
    public void ARunMeansItsNewestWholeCheckpoint()
    {
        string run = models.Run("run", 9, 10);
        File.Delete(Path.Combine(models.Run("cut", 9, 10), "checkpoints", "step-10", "model.safetensors"));
        Assert.EndsWith("step-10", CommandLineRun.Of("inspect", run, "--json").Json().GetProperty("folder").GetString(), StringComparison.Ordinal);
        Assert.EndsWith("step-9", CommandLineRun.Of("inspect", models["cut"], "--json").Json().GetProperty("folder").GetString(), StringComparison.Ordinal);
        Directory.CreateDirectory(Path.Combine(models["fresh"], "checkpoints"));
        CommandLineRun.Of("inspect", models["fresh"]).Fails(2, "no whole checkpoint yet");
        CommandLineRun.Of("inspect", Path.GetDirectoryName(run)!).Fails(2, "holds no model itself", models.Adapter);
    }

    [Fact]
    public void AnAdapterMeansItsBaseWithTheAdapterOnIt()
    {
        JsonElement facts = CommandLineRun.Of("inspect", models.Adapter, "--json").Json();
        Assert.Equal("LORA", facts.GetProperty("adapter").GetProperty("type").GetString());
        string merged = models["merged"];
        CommandLineRun.Of("convert", models.Adapter, merged).Succeeds();
        string plain = Greedy(models.Llama), adapted = Greedy(models.Adapter);
        Assert.NotEqual(plain, adapted);
        Assert.Equal(adapted, Greedy(merged));
    }

    [Theory]
    [InlineData("f32", DType.F32)]
    [InlineData("bf16", DType.BF16)]
    [InlineData("f16", DType.F16)]
    public void ConvertChangesTheStoredType(string name, DType type)
    {
        string to = models[$"to-{name}"];
        JsonElement report = CommandLineRun.Of("convert", models.Gpt2, to, "--dtype", name, "--json").Json();
        Assert.Equal(name, report.GetProperty("dtype").GetString());
        using TensorFile before = TensorFile.Open(models.Gpt2);
        using TensorFile after = TensorFile.Open(to);
        Assert.True(AtomicFolder.IsComplete(to));
        foreach (TensorEntry entry in after.Entries)
        {
            Assert.Equal(type, entry.DType);
            float[] expected = new float[entry.Shape.Count], actual = new float[entry.Shape.Count];
            before.Read(before[entry.Name], expected);
            after.Read(entry, actual);
            for (int i = 0; i < actual.Length; i++)
                Assert.Equal(expected[i], actual[i], Math.Abs(expected[i]) * (type == DType.F32 ? 0 : 1f / 256) + 1e-7f);
        }
        CommandLineRun.Of("generate", to, "-p", "Hello", "--greedy", "--max-tokens", "3", "--json").Json();
        // Converted once more without a type it stays as it is.
        CommandLineRun.Of("convert", to, models[$"again-{name}"]).Succeeds();
        Assert.Equal(File.ReadAllBytes(Path.Combine(to, "model.safetensors")), File.ReadAllBytes(Path.Combine(models[$"again-{name}"], "model.safetensors")));
        Assert.Equal(File.ReadAllBytes(Path.Combine(models.Gpt2, "tokenizer.json")), File.ReadAllBytes(Path.Combine(to, "tokenizer.json")));
    }

    [Fact]
    public void ConvertNeverHarmsWhatIsThere()
    {
        CommandLineRun.Of("convert", models.Llama, models.Llama).Fails(2, "write to another folder");
        string foreign = models["foreign"];
        Directory.CreateDirectory(foreign);
        File.WriteAllText(Path.Combine(foreign, "notes.txt"), "mine");
        CommandLineRun.Of("convert", models.Llama, foreign).Fails(1, foreign);
        Assert.Equal(["notes.txt"], Directory.GetFiles(foreign).Select(Path.GetFileName));
        CommandLineRun.Of("convert", "nowhere", models["nothing"]).Fails(2, "nowhere: no such folder");
        Assert.False(Directory.Exists(models["nothing"]));
    }

    [SharedFact("data", "stories260k-weights")]
    public void TheRealModelWritesWhatItsReferenceWrites()
    {
        string data = SharedFolder.Find("data", "stories260k-weights")!, converted = models["stories260k"];
        CommandLineRun.Of("convert", data, converted).Succeeds();
        JsonElement expected = JsonDocument.Parse(File.ReadAllText(Path.Combine(data, "greedy-expected.json"))).RootElement;
        int[] ids = [.. expected.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];
        JsonElement written = CommandLineRun.Of(
            "generate", converted, "--prompt", expected.GetProperty("prompt").GetString()!, "--greedy", "--max-tokens", $"{ids.Length}", "--json").Json();
        Assert.Equal(ids, written.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()));
        Assert.Equal(expected.GetProperty("text").GetString()!.TrimStart(), written.GetProperty("text").GetString());
    }

    private static string Greedy(string model) =>
        CommandLineRun.Of("generate", model, "-p", "Hello", "--greedy", "--max-tokens", "12", "--json").Json().GetProperty("ids").GetRawText();
}
