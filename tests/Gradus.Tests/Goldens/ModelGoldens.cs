using System.Text.Json.Nodes;
using Gradus.Files;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Testing;

namespace Gradus.Tests.Goldens;

/// <summary>What the goldens of all kinds of models have in common: which cases there are, and how their numbers are compared.</summary>
public sealed class ModelGoldens
{
    [SharedFact("golden", "models")]
    public void PendingListNamesOnlyWhatCannotRun()
    {
        HashSet<string> classes = [.. SharedFolder.GoldenCases("models").Select(ModelClass)];
        foreach (string pending in PendingGoldens.Of("models").Keys)
        {
            Assert.True(classes.Contains(pending), $"{pending} is on the pending list, but no case has that class.");
            Assert.False(Loads(pending), $"{pending} is on the pending list, but the code can run it.");
        }
    }

    /// <summary>The cases of some kinds, each on every device; pending ones are left out.</summary>
    internal static TheoryData<string, string> Cases(Func<string, bool> ofKind)
    {
        TheoryData<string, string> cases = [];
        foreach (string name in SharedFolder.GoldenCases("models"))
        {
            if (!ofKind((string)Meta(name)["kind"]!) || PendingGoldens.Of("models").ContainsKey(ModelClass(name)))
                continue;
            foreach (string device in TestDevices.Names)
                cases.Add(name, device);
        }
        return cases;
    }

    /// <summary>Loads a case's model on a device and hands it out with each of its batches: the case's folder, the batch's name, what is known of it, its tensors.</summary>
    internal static void EachBatch<T>(string name, string device, Action<T, string, string, JsonObject, TensorsOf> check)
        where T : LanguageModel
    {
        string folder = Folder(name);
        JsonObject meta = Meta(name);
        using T model = Assert.IsType<T>(Checkpoint.Load(folder, TestDevices.Get(device)), exactMatch: false);
        if (model is TaskModel)
            Assert.Equal((string)meta["model_class"]!, model.Config.Architecture);
        using TensorsOf io = new(Path.Combine(folder, "io.safetensors"));
        foreach ((string batch, JsonNode? about) in meta["batches"]!.AsObject())
            check(model, folder, batch, about!.AsObject(), io);
    }

    internal static string Folder(string name) => SharedFolder.Find("golden", "models", name)!;

    internal static JsonObject Meta(string name) => Checkpoint.ReadObject(Path.Combine(Folder(name), "meta.json"));

    /// <summary>How far logits and hidden states may be off.</summary>
    internal static double Tolerance(JsonObject batch) => Math.Max(5e-5, 5 * ((double?)batch["logits_f32_vs_f64_maxabs"] ?? 0));

    /// <summary>Compares rows (N, width) with the kept rows of a tensor (…, width), or (…) where the width is 1.</summary>
    internal static void Compare(TensorsOf io, string key, IReadOnlyList<int> kept, float[] actual, double tolerance)
    {
        float[] expected = io.Floats(key);
        int width = actual.Length / kept.Count;
        Assert.Equal(kept.Count * width, actual.Length);
        for (int k = 0; k < kept.Count; k++)
        {
            for (int c = 0; c < width; c++)
            {
                double e = expected[(kept[k] * width) + c], a = actual[(k * width) + c];
                Assert.True(Math.Abs(a - e) <= tolerance + (1e-5 * Math.Abs(e)), $"{key}: token {k}, column {c}: {a}, expected {e}");
            }
        }
    }

    internal static void CheckLoss(JsonObject batch, string name, float loss)
    {
        double expected = (double)batch["loss"]!;
        Assert.True(Math.Abs(loss - expected) <= 1e-5 * Math.Abs(expected), $"{name}: loss {loss}, expected {expected}");
    }

    /// <summary>Compares the gradients of all parameters that have one with a batch's.</summary>
    internal static void CheckGradients(LanguageModel model, string folder, string batch, double norm)
    {
        using TensorsOf grads = new(Path.Combine(folder, $"grads.{batch}.safetensors"));
        Assert.Equal(grads.Names.Order(StringComparer.Ordinal), model.Parameters.Where(p => p.Gradient is not null).Select(p => p.Name).Order(StringComparer.Ordinal));
        foreach (Parameter p in model.Parameters.Where(p => p.Gradient is not null))
            CompareGradient($"{batch}: gradient of {p.Name}", grads.Floats(p.Name), p.Gradient!.ToArray(), norm);
    }

    /// <summary>Compares one gradient.</summary>
    internal static void CompareGradient(string what, float[] expected, float[] actual, double total)
    {
        double difference = 0, norm = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            difference += Math.Pow((double)actual[i] - expected[i], 2);
            norm += Math.Pow(expected[i], 2);
        }
        Assert.True(Math.Sqrt(difference) <= (1e-4 * Math.Sqrt(norm)) + (1e-6 * total), $"{what} is off by {Math.Sqrt(difference)} of {Math.Sqrt(norm)}");
    }

    private static bool Loads(string modelClass) => SharedFolder.GoldenCases("models").Where(n => ModelClass(n) == modelClass).All(n =>
    {
        try
        {
            Checkpoint.Load(Folder(n), ReferenceDevice.Instance).Dispose();
            return true;
        }
        catch (InvalidDataException)
        {
            return false;
        }
    });

    private static string ModelClass(string name) => (string)Meta(name)["model_class"]!;
}
