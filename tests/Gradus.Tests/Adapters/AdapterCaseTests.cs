using System.Text.Json.Nodes;
using Gradus.Adapters;
using Gradus.Files;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Testing;
using Gradus.Tests.Files;
using Gradus.Tests.Goldens;

namespace Gradus.Tests.Adapters;

/// <summary>Adapters as people have them (<c>cases/files</c>): each computes what its files say, by a merge that is written out here, and so does what is merged and written.</summary>
public sealed class AdapterCaseTests
{
    private const string Prefix = "base_model.model.";

    public static TheoryData<string> Cases()
    {
        if (SharedFolder.Find("cases", "files") is not { } cases)
            return [];
        return [.. Directory.GetDirectories(cases).Select(d => Path.GetFileName(d)!).Order(StringComparer.Ordinal)
            .Where(n => File.Exists(Path.Combine(cases, n, "adapter", PeftFolder.ConfigFile)) && File.Exists(Path.Combine(cases, n, "base", Checkpoint.ConfigFile)))];
    }

    [SharedTheory("cases", "files")]
    [MemberData(nameof(Cases))]
    public void ComputesWhatTheFilesSay(string name)
    {
        using TemporaryFolder folder = new();
        string adapter = SharedFolder.Find("cases", "files", name, "adapter")!, basePath = SharedFolder.Find("cases", "files", name, "base")!;
        WriteMerged(folder["expected"], adapter, basePath);
        float[] expected = Logits(folder["expected"]);
        using LanguageModel model = Checkpoint.Load(basePath, ReferenceDevice.Instance);
        float[] before = Logits((GenerativeModel)model);
        using (ModelAdapter loaded = PeftFolder.Load(adapter, model))
        {
            Close(expected, Logits((GenerativeModel)model));
            loaded.Detach();
            Assert.Equal(before, Logits((GenerativeModel)model));
        }
        using (ModelAdapter loaded = PeftFolder.Load(adapter, model))
            loaded.Merge();
        Close(expected, Logits((GenerativeModel)model));
        using (AtomicFolder written = AtomicFolder.Begin(folder["merged"]))
        {
            Checkpoint.Write(written, model);
            written.Commit();
        }
        Close(expected, Logits(folder["merged"]));
    }

    // W + α/r·B·A for every layer with factors; what the file holds whole takes the place of what the model has; a head that changed is untied.
    private static void WriteMerged(string path, string adapter, string basePath)
    {
        JsonObject config = Checkpoint.ReadObject(Path.Combine(basePath, Checkpoint.ConfigFile)), lora = Checkpoint.ReadObject(Path.Combine(adapter, PeftFolder.ConfigFile));
        using Workspace store = new(ReferenceDevice.Instance);
        Dictionary<string, Tensor> weights = Read(basePath, store), changes = Read(adapter, store);
        Tensor table = weights["model.embed_tokens.weight"];
        foreach (string key in changes.Keys.Where(k => !k.Contains(".lora_", StringComparison.Ordinal)))
            weights[key[Prefix.Length..].Replace(".base_layer.", ".", StringComparison.Ordinal)] = changes[key];
        foreach (string key in changes.Keys.Where(k => k.EndsWith(".lora_A.weight", StringComparison.Ordinal)))
        {
            string layer = key[Prefix.Length..^".lora_A.weight".Length];
            Tensor change = changes[$"{Prefix}{layer}.lora_B.weight"].MatMul(changes[key]).Scale((float)((double)lora["lora_alpha"]! / (int)lora["r"]!));
            weights[$"{layer}.weight"] = weights.GetValueOrDefault($"{layer}.weight", table).Add(change);
        }
        bool tied = (bool?)config["tie_word_embeddings"] == true;
        if (tied && (weights.ContainsKey("lm_head.weight") || weights["model.embed_tokens.weight"] != table))
        {
            weights.TryAdd("lm_head.weight", table);
            config["tie_word_embeddings"] = false;
        }
        config["vocab_size"] = weights["model.embed_tokens.weight"].Shape[0];
        using AtomicFolder folder = AtomicFolder.Begin(path);
        Checkpoint.WriteObject(folder, Checkpoint.ConfigFile, config);
        Checkpoint.WriteTensors(folder.Create("model.safetensors"), weights);
        folder.Commit();
    }

    private static Dictionary<string, Tensor> Read(string path, Workspace store)
    {
        using TensorsOf file = new(path);
        return file.Names.ToDictionary(n => n, n => store.From(file.Floats(n), file.ShapeOf(n)), StringComparer.Ordinal);
    }

    private static float[] Logits(string path)
    {
        using LanguageModel model = Checkpoint.Load(path, ReferenceDevice.Instance);
        return Logits((GenerativeModel)model);
    }

    private static float[] Logits(GenerativeModel model)
    {
        using Workspace step = model.Parts.Store.NewScratch();
        return model.Logits(new Pass(new TokenBatch([1, 72, 101, model.Config.Vocabulary - 1, 108, 9]), step)).ToArray();
    }

    private static void Close(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        float scale = expected.Max(MathF.Abs);
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], 1e-4f * scale);
    }
}
