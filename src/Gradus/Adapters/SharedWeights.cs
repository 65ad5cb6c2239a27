using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>Changes of a model's tables that go beyond new values: a vocabulary of another size, a head that no longer shares the table.</summary>
internal static class SharedWeights
{
    /// <summary>Gives all tables of the vocabulary, and the heads over it, another number of rows; new ones are zeros until somebody fills them.</summary>
    /// <param name="model">The model.</param>
    /// <param name="vocabulary">Rows.</param>
    /// <returns>What takes the change back.</returns>
    /// <exception cref="InvalidDataException">A table is quantized, or a head has a bias.</exception>
    public static Action Resize(LanguageModel model, int vocabulary)
    {
        int before = model.Config.Vocabulary;
        ModelConfig config = model.Config;
        Dictionary<Parameter, Parameter> resized = [];
        Embedding[] tables = [.. model.Parts.Embeddings.Where(e => e.Count == before)];
        Linear[] heads = [.. model.Parts.Linears.Where(l => l.Weight.Outputs == before && (l == (model as GenerativeModel)?.Head || tables.Any(t => IsTied(l, t))))];
        if (tables.Any(t => t.Packed is not null) || heads.Any(h => h.Weight is not DenseWeight { Layout: WeightLayout.OutIn } || h.Bias is not null))
            throw new InvalidDataException($"the adapter has a vocabulary of {vocabulary} tokens and the model one of {before}, whose table or head is quantized or has a bias and cannot be resized; load the model unquantized.");
        foreach (Embedding table in tables)
            table.Replace(Resized(table.Table));
        foreach (Linear head in heads)
            head.Weight = new DenseWeight(Resized(((DenseWeight)head.Weight).Parameter), WeightLayout.OutIn);
        model.Config = config.WithVocabulary(vocabulary);
        return () =>
        {
            foreach ((Parameter old, Parameter made) in resized)
            {
                foreach (Embedding table in model.Parts.Embeddings.Where(e => e.Uses(made)))
                    table.Replace(old);
                foreach (Linear head in model.Parts.Linears.Where(l => l.Weight is DenseWeight dense && dense.Parameter == made))
                    head.Weight = new DenseWeight(old, WeightLayout.OutIn);
                model.Parts.Replace(made, old);
                made.Value.Free();
            }
            model.Config = config;
        };

        Parameter Resized(Parameter old)
        {
            if (resized.TryGetValue(old, out Parameter? made))
                return made;
            using Workspace scratch = new(model.Device);
            ReadOnlySpan<float> values = scratch.Adopt(old.Value).ToF32().Values();
            Tensor value = model.Parts.Store.Zeros(new Shape(vocabulary, old.Shape[1]));
            int kept = Math.Min(values.Length, checked((int)value.Count));
            values[..kept].CopyTo(value.Span());
            made = new Parameter(old.Name, value);
            model.Parts.Replace(old, made);
            resized[old] = made;
            return made;
        }
    }

    /// <summary>Gives a head that shares a table a weight of its own, with the same values, and says so in the configuration.</summary>
    /// <returns>The factor of the values (T5 scales what a tied head reads), or null where it cannot be done and nothing is changed.</returns>
    public static float? Untie(LanguageModel model, Linear head)
    {
        if (model is not GenerativeModel writer || writer.Head != head || head.Weight is not DenseWeight dense || model.Config.Untie() is not { } untied)
            return null;
        Tensor value = model.Parts.Store.Empty(dense.Parameter.Shape, dense.Parameter.Value.DType);
        using (Workspace scratch = new(model.Device))
            model.Device.Convert(scratch.Adopt(dense.Parameter.Value).ToF32().Scale(untied.HeadScale), value);
        Parameter own = new($"{head.Path}.weight", value);
        model.Parts.Add(own);
        head.Weight = new DenseWeight(own, dense.Layout);
        model.Config = untied.Config;
        return untied.HeadScale;
    }

    /// <summary>Whether a layer uses a table as its weight.</summary>
    public static bool IsTied(Linear layer, Embedding table) =>
        layer.Weight is DenseWeight dense ? table.Uses(dense.Parameter) : layer.Weight is PackedWeight packed && packed.IsOf(table);
}
