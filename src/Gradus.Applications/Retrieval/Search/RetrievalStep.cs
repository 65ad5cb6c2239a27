using System.Text.Json;
using System.Text.Json.Serialization;
using Gradus.Applications.Retrieval.Indexing;
using Microsoft.Extensions.AI;

namespace Gradus.Applications.Retrieval.Search;

/// <summary>A way to find chunks, or a step on what another has found: a recipe is a tree of them.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(KeywordSearch), "keywords")]
[JsonDerivedType(typeof(DenseSearch), "dense")]
[JsonDerivedType(typeof(RelevanceModel), "rm3")]
[JsonDerivedType(typeof(ReciprocalRankFusion), "rrf")]
[JsonDerivedType(typeof(ConvexFusion), "convex")]
[JsonDerivedType(typeof(DenseFeedback), "dense_feedback")]
[JsonDerivedType(typeof(NeighbourSmoothing), "neighbours")]
[JsonDerivedType(typeof(MaximalMarginalRelevance), "mmr")]
[JsonDerivedType(typeof(DocumentSpread), "spread")]
[JsonDerivedType(typeof(HypotheticalAnswer), "hyde")]
[JsonDerivedType(typeof(MultiQuery), "multi_query")]
[JsonDerivedType(typeof(QueryRewriting), "rewrite")]
[JsonDerivedType(typeof(Reranking), "rerank")]
public abstract record RetrievalStep
{
    /// <summary>The usual way for an index: keywords with feedback, joined with vectors where it has some.</summary>
    public static RetrievalStep Default(bool vectors) => vectors ? Hybrid : new KeywordSearch();

    /// <summary>Keywords with feedback and vectors with feedback, smoothed over neighbours.</summary>
    public static RetrievalStep Hybrid { get; } = new NeighbourSmoothing(
        new ConvexFusion([new DenseFeedback(new ConvexFusion([new DenseSearch(), new RelevanceModel()])), new RelevanceModel()], [0.8, 0.2]));

    /// <summary>Finds chunks.</summary>
    /// <param name="search">What is searched, and with what.</param>
    /// <param name="query">The question.</param>
    /// <param name="count">How many, at most.</param>
    /// <param name="cancellation">Ends the work.</param>
    /// <returns>The best first.</returns>
    public abstract Task<IReadOnlyList<Hit>> FindAsync(SearchContext search, string query, int count, CancellationToken cancellation);

    /// <summary>Whether it asks for vectors.</summary>
    [JsonIgnore]
    public virtual bool NeedsVectors => Inner.Any(s => s.NeedsVectors);

    /// <summary>Whether it asks a chat model.</summary>
    [JsonIgnore]
    public virtual bool NeedsChat => Inner.Any(s => s.NeedsChat);

    /// <summary>The steps it is made on.</summary>
    [JsonIgnore]
    private protected virtual IEnumerable<RetrievalStep> Inner => [];

    /// <summary>Reads a recipe.</summary>
    /// <exception cref="JsonException">It is no JSON, or has a key that is not known.</exception>
    public static RetrievalStep Parse(string json) => JsonSerializer.Deserialize(json, RetrievalJson.Default.RetrievalStep) ?? throw new JsonException("the recipe is null");

    /// <summary>The recipe as JSON.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, RetrievalJson.Default.RetrievalStep);
}

/// <summary>What a search works with.</summary>
/// <param name="Index">The index.</param>
/// <param name="Embeddings">The model that made the index's vectors, or null.</param>
/// <param name="Chat">The model for steps that write, or null.</param>
/// <param name="Allowed">The chunks that may be found; null: all.</param>
public sealed record SearchContext(RetrievalIndex Index, IEmbeddingGenerator<string, Embedding<float>>? Embeddings = null, IChatClient? Chat = null, ChunkMask? Allowed = null)
{
    /// <summary>The vector of a query.</summary>
    /// <exception cref="InvalidDataException">There is no embedding model.</exception>
    internal async Task<float[]> EmbedAsync(string text, CancellationToken cancellation)
    {
        IEmbeddingGenerator<string, Embedding<float>> generator = Embeddings ?? throw new InvalidDataException("this way of searching needs vectors: index with an embedding model (--embed), or search by keywords.");
        GeneratedEmbeddings<Embedding<float>> made = await generator.GenerateAsync([text], cancellationToken: cancellation).ConfigureAwait(false);
        return made.Count == 1 ? made[0].Vector.ToArray() : throw new InvalidDataException($"the embedding model gave {made.Count} vectors for one text.");
    }

    /// <summary>What the chat model writes.</summary>
    /// <exception cref="InvalidDataException">There is no chat model.</exception>
    internal async Task<string> AskAsync(string instruction, string text, int tokens, CancellationToken cancellation)
    {
        IChatClient client = Chat ?? throw new InvalidDataException("this way of searching needs a chat model: give one, or leave out the steps hyde, multi_query and rewrite.");
        ChatOptions options = new() { Temperature = 0, MaxOutputTokens = tokens, Seed = 0 };
        ChatResponse response = await client.GetResponseAsync([new ChatMessage(ChatRole.System, instruction), new ChatMessage(ChatRole.User, text)], options, cancellation).ConfigureAwait(false);
        return response.Text.Trim();
    }
}

/// <summary>Source-generated JSON of recipes; unknown keys are refused.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Strict, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, AllowOutOfOrderMetadataProperties = true, UseStringEnumConverter = true, WriteIndented = true)]
[JsonSerializable(typeof(RetrievalStep))]
internal sealed partial class RetrievalJson : JsonSerializerContext;
