using System.CommandLine;
using System.Text.Json.Nodes;
using Gradus.Bundle;
using Gradus.Cli.Console;
using Gradus.Files;
using Gradus.Files.Gguf;
using Gradus.Models;
using Gradus.Tensors;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus convert</c>: any model that is read here into a folder in the Hugging Face layout, or into a GGUF file.</summary>
internal static class ConvertVerb
{
    private static readonly Argument<string> From = new("FROM")
    {
        Description = "A model's folder, a run's, an adapter's (which is merged), a GGUF or llama2.c file, a file of tensors beside a config.json, or a model's name on the hub.",
    };

    private static readonly Argument<string> To = new("TO")
    {
        Description = "The folder to write (config.json, model.safetensors, tokenizer.json), or a file whose name ends with .gguf, or with .bin for llama2.c.",
    };

    private static readonly Option<string?> Type = new("--dtype")
    {
        Description = "Type of the stored weights; as they are stored now without it. A folder takes f32, bf16 and f16, a GGUF file all.",
        HelpName = string.Join('|', GgufStorage.Names),
    };

    private static readonly Option<string?> TokenizerPath = new("--tokenizer")
    {
        Description = "The tokenizer, where it does not lie beside the model: a file or folder of any format.",
        HelpName = "PATH",
    };

    private static readonly Option<string?> MaxShardSize = new("--max-shard-size")
    {
        Description = "Write files of at most this size (a larger tensor gets one of its own), NAME-00001-of-0000N, rather than one file.",
        HelpName = "SIZE",
    };

    private static readonly Option<bool> AdapterOnly = new("--adapter-only")
    {
        Description = "Write a LoRA adapter by itself, as a GGUF file for llama.cpp, rather than its merged model.",
    };

    private static readonly Option<string?> Base = ModelFolder.BaseOption();

    private static readonly Option<bool> Json = new("--json") { Description = "Print what was written as one JSON object." };

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Type.AcceptOnlyFromAmong([.. GgufStorage.Names]);
        Verb verb = new("convert", "Write a model of another format, type or with an adapter as a folder in the Hugging Face layout, a GGUF file or a llama2.c file.")
        {
            From, To, Type, TokenizerPath, MaxShardSize, AdapterOnly, Base, Json,
        };
        verb.Examples =
        [
            ("convert stories260k stories-hf", "turns a llama2.c model and its tokenizer.bin into a Hugging Face folder"),
            ("convert my-model my-model-bf16 --dtype bf16", "halves a model's size"),
            ("convert my-model my-model.gguf --dtype q4_k", "writes a model for llama.cpp, in about 4.5 bits per weight"),
            ("convert my-model my-model.gguf --max-shard-size 4GB", "writes my-model-00001-of-0000N.gguf …, which llama.cpp and gradus open by the first"),
            ("convert my-model.gguf my-model", "turns a GGUF file into a Hugging Face folder"),
            ("convert runs/lora merged", "writes an adapter's base model with the adapter merged into its weights"),
            ("convert runs/lora lora.gguf --adapter-only", "writes the adapter alone for llama.cpp's --lora"),
        ];
        verb.SetAction(parse => Run(context, parse));
        return verb;
    }

    private static int Run(CommandContext context, ParseResult parse)
    {
        string to = parse.GetRequiredValue(To);
        if (parse.GetRequiredValue(From) is var from && Path.Exists(from) && Path.GetFullPath(from) == Path.GetFullPath(to))
            throw new UsageException($"{to}: is what is to be converted; write to another folder or file.");
        long shard = parse.GetValue(MaxShardSize) is { } size ? ByteSize.Parse(size, MaxShardSize.Name) : long.MaxValue;
        if (parse.GetValue(AdapterOnly))
            return WriteAdapter(context, from, to, parse.GetValue(Base));
        if (GgufModel.IsGguf(from) && IsAdapter(from))
            return ReadAdapter(context, from, to, parse.GetValue(Base));
        using ConvertSource source = ConvertSource.Open(from, parse.GetValue(TokenizerPath), parse.GetValue(Base), context.Cancellation);
        if (source.Tokenizer is { } tokenizer && source.Known is { } known)
            ModelBundle.CheckFit(tokenizer, known, new ModelLocation(from));
        string type = parse.GetValue(Type) ?? source.StoredType.ToString().ToLowerInvariant();
        IReadOnlyList<string> files = to.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase)
            ? WriteGguf(context, source, to, type, shard)
            : to.EndsWith(".bin", StringComparison.OrdinalIgnoreCase) ? WriteLlama2c(source, from, to, parse.GetValue(Type))
            : WriteFolder(context, source, to, type, shard);
        Report(context, parse, source, to, to.EndsWith(".bin", StringComparison.OrdinalIgnoreCase) ? "f32" : type, files);
        return ExitCode.Done;
    }

    private static int WriteAdapter(CommandContext context, string from, string to, string? model)
    {
        ModelLocation location = ModelFolder.Find(from, model, context.Cancellation);
        if (location.Adapter is null)
            throw new UsageException($"{from}: is a model, not an adapter; leave --adapter-only out.");
        JsonObject config = ReadConfig(location.Folder);
        AtomicFile.Write(to, stream => GgufAdapter.Write(stream, location.Adapter, config));
        new Facts(context).Add("written to", to);
        return ExitCode.Done;
    }

    // The base model may be a GGUF file too.
    private static JsonObject ReadConfig(string model)
    {
        if (!GgufModel.IsGguf(model))
            return Checkpoint.ReadObject(Path.Combine(model, Checkpoint.ConfigFile));
        using GgufModel file = GgufModel.Open(model);
        return (JsonObject)file.Config.DeepClone();
    }

    private static bool IsAdapter(string path)
    {
        using GgufFile file = GgufFile.Open(path);
        return file.Values.TryGet("general.type", out string? type) && type == "adapter";
    }

    private static int ReadAdapter(CommandContext context, string from, string to, string? model)
    {
        string? folder = model is null ? null : ModelFolder.Find(model, cancel: context.Cancellation).Folder;
        using GgufAdapter adapter = GgufAdapter.Open(from, folder is null ? null : ReadConfig(folder));
        using AtomicFolder written = AtomicFolder.Begin(to);
        adapter.WriteFolder(written, folder is null ? null : Path.GetFullPath(folder));
        written.Commit();
        new Facts(context).Add("written to", to);
        return ExitCode.Done;
    }

    internal static IReadOnlyList<string> WriteFolder(CommandContext context, ConvertSource source, string to, string name, long maxShardBytes)
    {
        if (!Enum.TryParse(name, ignoreCase: true, out DType type) || type is not (DType.F32 or DType.BF16 or DType.F16))
            throw new UsageException($"--dtype {name}: a folder in the Hugging Face layout stores f32, bf16 or f16; give a file whose name ends with .gguf.");
        IReadOnlyList<(string Name, TensorEntry Entry)> tensors = source.Match();
        using AtomicFolder folder = AtomicFolder.Begin(to);
        IReadOnlyList<string> files = Checkpoint.Write(
            folder, source.Known is { } known ? Architectures.ToJson(known) : source.Config, source.Tensors, tensors, type, maxShardBytes);
        source.Tokenizer?.Save(folder.TemporaryPath);
        if (source.GenerationConfig is { } generation && (source.Known is not { } model || Architectures.WritesText(model)))
            Checkpoint.WriteObject(folder, ConvertSource.GenerationConfigFile, generation);
        if (source is { Pooling: { } pooling, Config: var config } && config["hidden_size"] is { } width)
            SentencePooling.Write(folder, pooling, (int)width);
        context.Cancellation.ThrowIfCancellationRequested();
        folder.Commit();
        return files;
    }

    private static IReadOnlyList<string> WriteLlama2c(ConvertSource source, string from, string to, string? type)
    {
        if (type is not (null or "f32"))
            throw new UsageException($"--dtype {type}: a llama2.c file stores f32; leave --dtype out.");
        if (Directory.Exists(to))
            throw new UsageException($"{to}: is a folder; choose another name for the file.");
        ModelConfig config = source.Known ?? throw new UsageException($"{from}: llama2.c runs Llama only, not {source.Architecture}; write a folder or a .gguf file.");
        _ = source.Match();
        try
        {
            AtomicFile.Write(to, stream => Llama2cWriter.Write(stream, config, source.Tensors));
        }
        catch (NotSupportedException e)
        {
            throw new UsageException($"{to}: {e.Message}; write a folder or a .gguf file.");
        }
        return [to];
    }

    private static IReadOnlyList<string> WriteGguf(CommandContext context, ConvertSource source, string to, string type, long maxShardBytes)
    {
        if (Directory.Exists(to))
            throw new UsageException($"{to}: is a folder; choose another name for the file.");
        string name = Path.GetFileNameWithoutExtension(to);
        GgufExport export;
        try
        {
            export = GgufExport.Plan(source.Config, source.Tensors, source.Tokenizer, new GgufExportOptions(GgufStorage.Get(type), name, source.Pooling), source.GenerationConfig);
        }
        catch (NotSupportedException e)
        {
            throw new UsageException($"{to}: {e.Message}");
        }
        using (export)
        {
            foreach (string deviation in export.Deviations)
                context.Note($"llama.cpp will compute other numbers: {deviation}.");
            try
            {
                return export.Write(to, maxShardBytes, context.Cancellation.ThrowIfCancellationRequested);
            }
            catch (ArgumentException e) when (e.ParamName == nameof(maxShardBytes))
            {
                throw new UsageException(e.Message.Split(" (Parameter", 2)[0]);
            }
        }
    }

    private static void Report(CommandContext context, ParseResult parse, ConvertSource source, string to, string type, IReadOnlyList<string> files)
    {
        bool isFile = to.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase) || to.EndsWith(".bin", StringComparison.OrdinalIgnoreCase);
        string written = isFile ? files[0] : to;
        if (source.Tokenizer is null)
            context.Note("no tokenizer was found; give one with --tokenizer, or put tokenizer.json into the new folder.");
        long parameters = source.Tensors.Entries.Sum(e => e.Shape.Count);
        if (parse.GetValue(Json))
        {
            context.WriteJson(new JsonObject
            {
                [isFile ? "file" : "folder"] = written,
                ["files"] = new JsonArray([.. files.Select(f => JsonValue.Create(Path.GetFileName(f)))]),
                ["architecture"] = source.Architecture,
                ["parameters"] = parameters,
                ["dtype"] = type,
                ["tokenizer"] = source.Tokenizer?.VocabularySize,
            });
            return;
        }
        Facts facts = new(context);
        facts.Add("model", $"{source.Architecture}, {parameters:N0} parameters in {type}");
        facts.Add("tokenizer", source.Tokenizer is { } tokenizer ? $"{tokenizer.VocabularySize:N0} tokens" : "none");
        facts.Add("written to", files.Count == 1 ? written : $"{written}, in {files.Count} files");
    }
}
