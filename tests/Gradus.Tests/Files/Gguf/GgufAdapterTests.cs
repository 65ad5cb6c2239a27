using System.Text.Json.Nodes;
using Gradus.Adapters;
using Gradus.Files;
using Gradus.Files.Gguf;
using Gradus.Testing;

namespace Gradus.Tests.Files.Gguf;

/// <summary>PEFT's LoRA adapters through GGUF: what they add to each weight stays the same.</summary>
public sealed class GgufAdapterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Cases() => [.. SharedFolder.GoldenCases("peft").Where(n =>
        SharedFolder.Find("golden", "peft", n, "adapter_config.json") is { } path
        && (string?)Checkpoint.ReadObject(path)["peft_type"] == "LORA"
        && Base(Checkpoint.ReadObject(path)) is not null)];

    public void Dispose() => _folder.Dispose();

    [SharedTheory("golden", "peft")]
    [MemberData(nameof(Cases))]
    public void AddsTheSameToEachWeight(string name)
    {
        string folder = SharedFolder.Find("golden", "peft", name)!;
        JsonObject config = Checkpoint.ReadObject(Path.Combine(folder, "adapter_config.json"));
        JsonObject model = Checkpoint.ReadObject(Path.Combine(Base(config)!, "config.json"));
        string path = _folder["a.gguf"];
        if (HasNoForm(config, folder))
        {
            Assert.Throws<InvalidDataException>(() => AtomicFile.Write(path, stream => GgufAdapter.Write(stream, folder, model)));
            return;
        }
        AtomicFile.Write(path, stream => GgufAdapter.Write(stream, folder, model));
        using (GgufAdapter read = GgufAdapter.Open(path))
        using (AtomicFolder written = AtomicFolder.Begin(_folder["peft"]))
        {
            read.WriteFolder(written, "base");
            written.Commit();
        }
        Dictionary<string, float[]> expected = Deltas(folder), actual = Deltas(_folder["peft"]);
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), actual.Keys.Order(StringComparer.Ordinal));
        foreach ((string module, float[] delta) in expected)
        {
            for (int i = 0; i < delta.Length; i++)
                Assert.True(Math.Abs(delta[i] - actual[module][i]) <= 1e-5 * Math.Max(1, Math.Abs(delta[i])), $"{module}[{i}]: {actual[module][i]} instead of {delta[i]}");
        }
    }

    [Fact]
    public void AFileThatIsNoAdapterIsRefused()
    {
        GgufMetadata metadata = new();
        metadata.Set("general.architecture", "llama");
        AtomicFile.Write(_folder["m.gguf"], stream => new GgufWriter(stream, metadata, [], leaveOpen: true).Complete());
        Assert.Contains("LoRA", Assert.Throws<InvalidDataException>(() => GgufAdapter.Open(_folder["m.gguf"])).Message, StringComparison.Ordinal);
        metadata.Set("adapter.type", "lora");
        metadata.Set("adapter.lora.alpha", 1f);
        AtomicFile.Write(_folder["a.gguf"], stream => new GgufWriter(stream, metadata, [], leaveOpen: true).Complete());
        Assert.Contains("base model", Assert.Throws<InvalidDataException>(() => GgufAdapter.Open(_folder["a.gguf"])).Message, StringComparison.Ordinal);
    }

    // s·B·A of each module.
    private static Dictionary<string, float[]> Deltas(string folder)
    {
        LoraConfig config = Assert.IsType<LoraConfig>(PeftFolder.ReadConfig(folder));
        using TensorFile file = TensorFile.Open(folder);
        Dictionary<string, float[]> deltas = [];
        const string Start = "base_model.model.", End = ".lora_A.weight";
        foreach (TensorEntry a in file.Entries.Where(e => e.Name.EndsWith(End, StringComparison.Ordinal)))
        {
            string module = a.Name[Start.Length..^End.Length];
            TensorEntry b = file[$"{Start}{module}.lora_B.weight"];
            float[] low = new float[a.Shape.Count], high = new float[b.Shape.Count];
            file.Read(a, low);
            file.Read(b, high);
            int rank = a.Shape[0], inputs = a.Shape[1], outputs = b.Shape[0];
            float[] delta = deltas[module] = new float[inputs * outputs];
            for (int o = 0; o < outputs; o++)
            {
                for (int i = 0; i < inputs; i++)
                {
                    double sum = 0;
                    for (int r = 0; r < rank; r++)
                        sum += (double)high[(o * rank) + r] * low[(r * inputs) + i];
                    delta[(o * inputs) + i] = (float)(sum * config.ScaleOf(module));
                }
            }
        }
        Assert.NotEmpty(deltas);
        return deltas;
    }

    private static string? Base(JsonObject config) => (string?)config["base_model_name_or_path"] is { } name ? SharedFolder.Find("golden", "peft", Path.GetFileName(name)) : null;

    private static bool HasNoForm(JsonObject config, string folder)
    {
        using TensorFile file = TensorFile.Open(folder);
        return (bool?)config["use_dora"] == true
            || (string?)config["bias"] != "none"
            || config["modules_to_save"] is JsonArray { Count: > 0 }
            || config["init_lora_weights"] is JsonValue init && init.TryGetValue(out string? kind) && kind != "gaussian"
            || file.Entries.Any(e => e.Name.Contains("lora_embedding", StringComparison.Ordinal));
    }
}
