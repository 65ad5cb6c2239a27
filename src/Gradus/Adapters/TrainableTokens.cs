using System.Text.Json;
using System.Text.Json.Serialization;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>Trainable tokens (PEFT): only the vectors of some tokens are trained, such as those that were added to the vocabulary.</summary>
/// <param name="TokenIndices">The tokens; at least one.</param>
/// <param name="TargetModules">The embedding tables; the model's input table where null. A head that shares the table follows it.</param>
/// <param name="InitWeights">Whether the vectors start out as they are rather than at random.</param>
/// <param name="ModulesToSave">Ends of the paths of modules that are trained as a whole beside the tokens.</param>
/// <param name="TaskType">What the model is for; only handed on.</param>
/// <param name="BaseModelNameOrPath">Where the base model comes from; only handed on.</param>
/// <param name="InferenceMode">Whether PEFT is to load it frozen.</param>
public sealed record TrainableTokensConfig(
    IReadOnlyList<int>? TokenIndices = null,
    ModuleNames? TargetModules = null,
    bool InitWeights = true,
    IReadOnlyList<string>? ModulesToSave = null,
    string? TaskType = "CAUSAL_LM",
    string? BaseModelNameOrPath = null,
    bool InferenceMode = false)
    : TunerConfig(TargetModules, null, ModulesToSave, TaskType, BaseModelNameOrPath, InferenceMode)
{
    /// <inheritdoc/>
    public override IEnumerable<string> Problems() => base.Problems().Concat(TokenIndices is { Count: > 0 } ? [] : ["token_indices: names no token."]);

    /// <inheritdoc/>
    public override Adapter Adapt(Linear layer, Scope place)
    {
        ArgumentNullException.ThrowIfNull(layer);
        throw new InvalidDataException($"target_modules: {layer.Path} is no embedding table; name the table, which its tied head follows.");
    }

    /// <inheritdoc/>
    public override EmbeddingAdapter Adapt(Embedding layer, Scope place) => new TokenVectors(layer, TokenIndices!, InitWeights, place, "token_indices");

    internal override PeftConfig Resolve(LanguageModel model) => TargetModules is not null
        ? this
        : this with { TargetModules = ModuleNames.Of(TokenVectors.InputTable(model, "target_modules").Path) };

    internal override void Build(AdapterParts parts)
    {
        base.Build(parts);
        foreach ((Embedding layer, EmbeddingAdapter adapter) in parts.Embeddings.ToArray())
        {
            if (adapter is TokenVectors vectors)
                vectors.FollowIn(parts, layer);
        }
    }
}

/// <summary>Tokens whose vectors LoRA trains beside its matrices; in files a list, for the input table, or lists by the names of tables.</summary>
/// <param name="Tables">The tokens by the end of the table's path; empty for the input table.</param>
[JsonConverter(typeof(Converter))]
public sealed record TokenIndices(IReadOnlyDictionary<string, int[]> Tables)
{
    internal sealed class Converter : JsonConverter<TokenIndices>
    {
        public override TokenIndices Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            if (reader.TokenType == JsonTokenType.StartArray)
                return new TokenIndices(new Dictionary<string, int[]> { [""] = Numbers(ref reader) });
            if (reader.TokenType != JsonTokenType.StartObject)
                throw new JsonException("expected a list of token ids, or lists by the names of tables");
            Dictionary<string, int[]> tables = [];
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                string name = reader.GetString()!;
                reader.Read();
                tables[name] = Numbers(ref reader);
            }
            return new TokenIndices(tables);
        }

        public override void Write(Utf8JsonWriter writer, TokenIndices value, JsonSerializerOptions options)
        {
            bool one = value.Tables.Count == 1 && value.Tables.ContainsKey("");
            if (!one)
                writer.WriteStartObject();
            foreach ((string name, int[] ids) in value.Tables.OrderBy(t => t.Key, StringComparer.Ordinal))
            {
                if (!one)
                    writer.WritePropertyName(name);
                writer.WriteStartArray();
                foreach (int id in ids)
                    writer.WriteNumberValue(id);
                writer.WriteEndArray();
            }
            if (!one)
                writer.WriteEndObject();
        }

        private static int[] Numbers(ref Utf8JsonReader reader)
        {
            if (reader.TokenType != JsonTokenType.StartArray)
                throw new JsonException("expected a list of token ids");
            List<int> ids = [];
            while (reader.Read() && reader.TokenType == JsonTokenType.Number)
                ids.Add(reader.GetInt32());
            return reader.TokenType == JsonTokenType.EndArray ? [.. ids] : throw new JsonException("expected a list of token ids");
        }
    }
}

/// <summary>Trained vectors in place of some rows of a table.</summary>
public sealed class TokenVectors : EmbeddingAdapter
{
    private readonly int[] _tokens;
    private readonly Dictionary<int, int> _rows;

    /// <summary>Makes the vectors of a table.</summary>
    /// <param name="layer">The table.</param>
    /// <param name="tokens">Rows of it.</param>
    /// <param name="copies">Whether they start out as they are rather than at random.</param>
    /// <param name="place">Where the parameter comes from.</param>
    /// <param name="key">What the configuration calls the tokens.</param>
    /// <exception cref="InvalidDataException">The table has no such row, or a row comes twice.</exception>
    public TokenVectors(Embedding layer, IReadOnlyList<int> tokens, bool copies, Scope place, string key)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(tokens);
        ArgumentNullException.ThrowIfNull(place);
        _tokens = [.. tokens];
        foreach (int token in tokens)
        {
            if ((uint)token >= (uint)layer.Count)
                throw new InvalidDataException($"{key}: {token} is no row of {layer.Path}, which has {layer.Count}.");
        }
        if (tokens.Distinct().Count() < tokens.Count)
            throw new InvalidDataException($"{key}: a token comes twice.");
        _rows = tokens.Select((t, i) => (t, i)).ToDictionary(p => p.t, p => p.i);
        Vectors = place.Parameter("trainable_tokens_delta", new Shape(tokens.Count, layer.Width), copies ? new GivenInit(RowsOf(layer, _tokens, place.Parts.Store)) : Init.Normal(1));
        Parameters = [Vectors];
    }

    /// <summary>(tokens, C).</summary>
    public Parameter Vectors { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<Parameter> Parameters { get; }

    /// <summary>The table of a model's tokens.</summary>
    internal static Embedding InputTable(LanguageModel model, string key) =>
        model.Parts.Embeddings.FirstOrDefault(e => e.Count == model.Config.Vocabulary)
            ?? throw new InvalidDataException($"{key}: the model has no table of its {model.Config.Vocabulary} tokens; name it.");

    /// <inheritdoc/>
    public override Tensor Forward(Embedding layer, Tensor ids)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(ids);
        List<int> kept = [], places = [], rows = [];
        ReadOnlySpan<int> all = ids.Span<int>();
        for (int i = 0; i < all.Length; i++)
        {
            (_rows.TryGetValue(all[i], out int row) ? places : kept).Add(i);
            if (places.Count > rows.Count)
                rows.Add(row);
        }
        Tensor y = layer.Base(ids);
        if (places.Count == 0)
            return y;
        Workspace w = ids.Workspace;
        Tensor trained = Vectors.In(w).Gather(w.From([.. rows])), at = w.From([.. places]);
        return kept.Count == 0
            ? Tensor.Scatter([trained], [at], all.Length)
            : Tensor.Scatter([y.Gather(w.From([.. kept])), trained], [w.From([.. kept]), at], all.Length);
    }

    /// <inheritdoc/>
    public override Tensor Merge(Embedding layer, Workspace workspace)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(workspace);
        Tensor table = workspace.Empty(layer.Table.Shape);
        workspace.Device.Convert(layer.Table.Value, table);
        for (int i = 0; i < _tokens.Length; i++)
            Vectors.Value.Span().Slice(i * layer.Width, layer.Width).CopyTo(table.Span()[(_tokens[i] * layer.Width)..]);
        return table;
    }

    /// <summary>Lets the heads that share the table score the same tokens with the trained vectors.</summary>
    internal void FollowIn(AdapterParts parts, Embedding layer)
    {
        foreach (Linear head in parts.Model.Parts.Linears)
        {
            bool tied = head.Weight is DenseWeight dense ? layer.Uses(dense.Parameter) : head.Weight is PackedWeight packed && packed.IsOf(layer);
            if (tied)
                parts.Add(head, new TokenScores(head, this, _tokens, parts));
        }
    }

    internal static float[] RowsOf(Embedding layer, int[] tokens, Workspace store)
    {
        using Workspace scratch = new(store.Device);
        return layer.Base(scratch.From(tokens)).ToF32().ToArray();
    }
}

/// <summary>A head whose scores of some tokens come from trained vectors: y[t] += (v_t − w_t)·x.</summary>
internal sealed class TokenScores : Adapter
{
    private readonly TokenVectors _vectors;
    private readonly int[] _tokens;
    private readonly Tensor _first;
    private readonly int _outputs;

    public TokenScores(Linear head, TokenVectors vectors, int[] tokens, AdapterParts parts)
    {
        (_vectors, _tokens, _outputs) = (vectors, tokens, head.Weight.Outputs);
        using Workspace scratch = new(parts.Store.Device);
        float[] rows = head.Weight.Dense(scratch).Gather(scratch.From(tokens)).ToArray();
        _first = parts.Store.From(rows, new Shape(tokens.Length, head.Weight.Inputs));
    }

    /// <summary>None: the vectors belong to the table.</summary>
    public override IReadOnlyList<Parameter> Parameters => [];

    public override bool MergesWithTable => true;

    public override Tensor Forward(Linear layer, Tensor x, Pass pass) => layer.Base(x).Add(Change(x, pass));

    public override Tensor Change(Tensor x, Pass pass)
    {
        Workspace w = x.Workspace;
        Tensor change = x.Linear(_vectors.Vectors.In(w).Subtract(w.Adopt(_first)));                // (N, tokens)
        return Tensor.Scatter([change.SwapAxes()], [w.From(_tokens)], _outputs).SwapAxes();        // (N, V)
    }

    public override Tensor Merge(Linear layer, Workspace workspace)
    {
        Tensor weight = layer.Weight.Dense(workspace), merged = workspace.Empty(weight.Shape);
        weight.Span().CopyTo(merged.Span());
        int width = weight.Shape[1];
        for (int i = 0; i < _tokens.Length; i++)
            _vectors.Vectors.Value.Span().Slice(i * width, width).CopyTo(merged.Span()[(_tokens[i] * width)..]);
        return merged;
    }
}
