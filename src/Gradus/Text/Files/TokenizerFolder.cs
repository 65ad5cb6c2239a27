// A tokenizer as a folder in Hugging Face's layout: tokenizer.json with the beside-files that say which tokens begin, end and pad,
// and the chat template. Source: transformers, tokenization_utils_base.

using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Gradus.Text;

public sealed partial class Tokenizer
{
    private const string JsonFile = "tokenizer.json";
    private const string ConfigFile = "tokenizer_config.json";
    private const string SpecialFile = "special_tokens_map.json";
    private const string TemplateFile = "chat_template.jinja";

    /// <summary>Reads a tokenizer: a folder in Hugging Face's layout, or one file of any format that can be told by its content.</summary>
    /// <param name="path">The folder or file.</param>
    /// <exception cref="InvalidDataException">The content is not a tokenizer; the message says which file, where and why.</exception>
    public static Tokenizer Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
            return TokenizerFolder.Load(path);
        if (!File.Exists(path))
            throw new FileNotFoundException($"{path}: there is no such tokenizer file or folder.", path);
        return TokenizerFolder.LoadFile(path);
    }

    /// <summary>
    /// Writes tokenizer.json, tokenizer_config.json, special_tokens_map.json and, where there is one, the chat template into a folder,
    /// which is made if need be. The same tokenizer always gives the same bytes.
    /// </summary>
    /// <param name="folder">The folder.</param>
    public void Save(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        Directory.CreateDirectory(folder);
        File.WriteAllBytes(Path.Combine(folder, JsonFile), TokenizerJson.Write(this));
        File.WriteAllBytes(Path.Combine(folder, ConfigFile), TokenizerFolder.WriteConfig(_parts));
        File.WriteAllBytes(Path.Combine(folder, SpecialFile), TokenizerFolder.WriteSpecial(_parts.SpecialTokens));
        if (_parts.ChatTemplate is { } template)
            File.WriteAllText(Path.Combine(folder, TemplateFile), template);
    }

    private static class TokenizerFolder
    {
        private static JsonWriterOptions Options => new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

        private static readonly (string Name, Func<SpecialTokens, string?> Get)[] Names =
        [
            ("bos_token", s => s.Bos), ("cls_token", s => s.Classifier), ("eos_token", s => s.Eos), ("mask_token", s => s.Mask),
            ("pad_token", s => s.Pad), ("sep_token", s => s.Separator), ("unk_token", s => s.Unknown),
        ];

        public static Tokenizer Load(string folder)
        {
            string json = Path.Combine(folder, JsonFile);
            if (!File.Exists(json))
                return LoadOther(folder);
            Tokenizer tokenizer = TokenizerJson.Load(json);
            return WithConfig(tokenizer, folder);
        }

        public static Tokenizer LoadFile(string path)
        {
            string name = Path.GetFileName(path);
            byte[] head = new byte[4];
            int read;
            using (FileStream stream = File.OpenRead(path))
                read = stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
            if (read == 4 && head.AsSpan().SequenceEqual("GGUF"u8))
                return GgufVocabulary.Load(path);
            if (name.EndsWith(".tiktoken", StringComparison.OrdinalIgnoreCase) || name.EndsWith(".tiktoken.gz", StringComparison.OrdinalIgnoreCase))
                return TiktokenFile.Load(path);
            if (name.EndsWith(".txt", StringComparison.OrdinalIgnoreCase))
                return BertVocabulary.Load(path);
            if (name.EndsWith(".bin", StringComparison.OrdinalIgnoreCase))
                return Llama2cTokenizerFile.Load(path);
            if (name.EndsWith(".model", StringComparison.OrdinalIgnoreCase))
                return SentencePieceFile.Load(path);
            Tokenizer tokenizer = TokenizerJson.Load(path);
            return Path.GetFileName(path) == JsonFile ? WithConfig(tokenizer, Path.GetDirectoryName(Path.GetFullPath(path))!) : tokenizer;
        }

        public static byte[] WriteConfig(TokenizerParts parts)
        {
            return WriteObject(writer =>
            {
                WriteNames(writer, parts.SpecialTokens);
                writer.WriteBoolean("clean_up_tokenization_spaces", false);
                writer.WriteString("tokenizer_class", "PreTrainedTokenizerFast");
                if (parts.ChatTemplate is { } template)
                    writer.WriteString("chat_template", template);
            });
        }

        public static byte[] WriteSpecial(SpecialTokens special) => WriteObject(writer => WriteNames(writer, special));

        private static Tokenizer LoadOther(string folder)
        {
            string vocabulary = Path.Combine(folder, "vocab.json");
            string merges = Path.Combine(folder, "merges.txt");
            if (File.Exists(vocabulary) && File.Exists(merges))
                return WithConfig(Gpt2Files.Load(vocabulary, merges), folder);
            foreach (string name in new[] { "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "vocab.txt", "tokenizer.bin" })
            {
                if (File.Exists(Path.Combine(folder, name)))
                    return WithConfig(LoadFile(Path.Combine(folder, name)), folder);
            }
            throw new FileNotFoundException($"{folder}: there is no {JsonFile}, and no other tokenizer file that is known. Give the folder of a tokenizer, or one tokenizer file.", folder);
        }

        private static Tokenizer WithConfig(Tokenizer tokenizer, string folder)
        {
            SpecialTokens special = tokenizer.Parts.SpecialTokens;
            string? template = null;
            if (ReadObject(Path.Combine(folder, SpecialFile)) is { } map)
                special = Merge(special, map);
            if (ReadObject(Path.Combine(folder, ConfigFile)) is { } config)
            {
                special = Merge(special, config);
                template = ReadTemplate(config["chat_template"]);
            }
            string templatePath = Path.Combine(folder, TemplateFile);
            if (File.Exists(templatePath))
                template = File.ReadAllText(templatePath);
            return new Tokenizer(tokenizer.Parts with { SpecialTokens = special, ChatTemplate = template });
        }

        private static JsonPlace? ReadObject(string path)
        {
            if (!File.Exists(path))
                return null;
            try
            {
                using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
                return document.RootElement.ValueKind == JsonValueKind.Object ? new JsonPlace(document.RootElement.Clone(), path) : throw new InvalidDataException($"{path}: expected an object at the top.");
            }
            catch (JsonException e)
            {
                throw new InvalidDataException($"{path}: not JSON, line {e.LineNumber + 1}: {e.Message}", e);
            }
        }

        /// <summary>A token is its text, or an object with its text under "content"; null takes it away.</summary>
        private static SpecialTokens Merge(SpecialTokens special, JsonPlace file)
        {
            return new SpecialTokens(
                Get("bos_token", special.Bos), Get("eos_token", special.Eos), Get("unk_token", special.Unknown), Get("pad_token", special.Pad),
                Get("sep_token", special.Separator), Get("cls_token", special.Classifier), Get("mask_token", special.Mask));

            string? Get(string name, string? before)
            {
                JsonPlace token = file[name];
                return token.Element.ValueKind switch
                {
                    JsonValueKind.Undefined => before,
                    JsonValueKind.Null => null,
                    JsonValueKind.Object => token["content"].Text(),
                    _ => token.Text(),
                };
            }
        }

        /// <summary>One template, or a list of named ones of which "default" counts.</summary>
        private static string? ReadTemplate(JsonPlace template)
        {
            if (template.Element.ValueKind != JsonValueKind.Array)
                return template.TextOrNull();
            JsonPlace[] named = [.. template.Items()];
            JsonPlace? chosen = named.FirstOrDefault(t => t["name"].Text("") == "default") ?? named.FirstOrDefault();
            return chosen?["template"].Text();
        }

        private static void WriteNames(Utf8JsonWriter writer, SpecialTokens special)
        {
            foreach ((string name, Func<SpecialTokens, string?> get) in Names)
            {
                if (get(special) is { } token)
                    writer.WriteString(name, token);
            }
        }

        private static byte[] WriteObject(Action<Utf8JsonWriter> write)
        {
            ArrayBufferWriter<byte> buffer = new();
            using (Utf8JsonWriter writer = new(buffer, Options))
            {
                writer.WriteStartObject();
                write(writer);
                writer.WriteEndObject();
            }
            return buffer.WrittenSpan.ToArray();
        }
    }
}
