using System.CommandLine;
using Gradus.Applications.Retrieval.Indexing;
using Gradus.Applications.Retrieval.Search;
using Gradus.Cli.Console;
using Microsoft.Extensions.AI;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus rag</c>: its verbs, and what they share.</summary>
internal static class RagVerb
{
    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context) => new("rag", "Retrieval: an index of your documents, search, answers with sources that are really there.")
    {
        RagIndexVerb.Create(context),
        RagSearchVerb.Create(context),
        RagAskVerb.CreateAsk(context),
        RagAskVerb.CreateChat(context),
        RagEvaluateVerb.Create(context),
    };

    /// <summary>The option for an index's file.</summary>
    public static Option<string> IndexOption() => new("--index") { Description = "The index's file.", HelpName = "FILE", DefaultValueFactory = _ => "documents.db" };

    /// <summary>The option for a recipe of retrieval.</summary>
    public static Option<string?> RecipeOption() => new("--recipe")
    {
        Description = "How to search: keywords, hybrid, or a JSON file with a recipe. Without it: hybrid where the index has vectors, else keywords.",
        HelpName = "NAME|FILE",
    };

    /// <summary>The option for conditions on metadata.</summary>
    public static Option<string[]> WhereOption() => new("--where") { Description = "A condition on the documents' metadata, like status=Final, year>=2020 or name=contracts/*; all have to hold.", HelpName = "CONDITION" };

    /// <summary>The option for the least chunk count.</summary>
    public static Option<int> TopOption(int standard) => Numeric.Option("--top", "Chunks to find.", 1, 1000, standard);

    /// <summary>The way of searching that an option names.</summary>
    /// <exception cref="UsageException">There is no such recipe.</exception>
    public static RetrievalStep Recipe(string? name, RetrievalIndex index)
    {
        if (name is null)
            return RetrievalStep.Default(index.Settings.EmbeddingModel is not null);
        if (name is "keywords" or "hybrid")
            return name == "hybrid" ? RetrievalStep.Hybrid : new KeywordSearch();
        if (!File.Exists(name))
            throw new UsageException($"{name}: no such recipe; give keywords, hybrid, or a JSON file.");
        return RetrievalStep.Parse(File.ReadAllText(name));
    }

    /// <summary>What is searched: the index with the model of its vectors, where the recipe asks for it.</summary>
    public static SearchContext Search(RetrievalIndex index, RetrievalStep recipe, string[]? where, RagModels models, IChatClient? chat = null)
    {
        IEmbeddingGenerator<string, Embedding<float>>? embeddings = recipe.NeedsVectors ? models.ForIndex(index) : null;
        if (recipe.NeedsChat && chat is null)
            throw new UsageException("the recipe asks a chat model; give one, or leave out the steps hyde, multi_query, rewrite and rerank.");
        return new SearchContext(index, embeddings, chat, index.Allowed(MetadataFilter.Parse(where ?? [])));
    }
}
