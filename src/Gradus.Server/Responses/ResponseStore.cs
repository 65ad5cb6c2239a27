using System.Text.Json.Nodes;
using Gradus.Text.Chat;
using Microsoft.Data.Sqlite;

namespace Gradus.Server.Responses;

/// <summary>Responses that were stored, with the conversation up to their end, in a SQLite database; each is seen only by the key that asked for it.</summary>
internal sealed class ResponseStore : IDisposable
{
    private const int Most = 100_000;
    private readonly SqliteConnection _connection;
    private readonly Lock _lock = new();

    /// <summary>Opens a store.</summary>
    /// <param name="path">The database's file; null keeps it in memory until this is disposed.</param>
    /// <exception cref="InvalidDataException">The file is no database, or cannot be opened.</exception>
    public ResponseStore(string? path)
    {
        _connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path ?? ":memory:", Pooling = false }.ToString());
        try
        {
            _connection.Open();
            Run("PRAGMA journal_mode = WAL");
            Run("CREATE TABLE IF NOT EXISTS responses (id TEXT PRIMARY KEY, owner TEXT NOT NULL, created INTEGER NOT NULL, body TEXT NOT NULL, messages TEXT NOT NULL)");
            Run("CREATE INDEX IF NOT EXISTS responses_created ON responses (created)");
        }
        catch (SqliteException e)
        {
            _connection.Dispose();
            throw new InvalidDataException($"{path}: cannot be opened as a SQLite database: {e.Message}", e);
        }
    }

    /// <summary>Stores a response; the oldest leave where there are too many.</summary>
    public void Add(string id, string owner, JsonObject body, IEnumerable<ChatMessage> messages)
    {
        JsonArray conversation = [.. messages.Select(m => (JsonNode)m.ToJson())];
        lock (_lock)
        {
            Run("INSERT INTO responses VALUES ($id, $owner, $created, $body, $messages)",
                ("$id", id), ("$owner", owner), ("$created", DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()), ("$body", body.ToJsonString()), ("$messages", conversation.ToJsonString()));
            Run("DELETE FROM responses WHERE id IN (SELECT id FROM responses ORDER BY created DESC LIMIT -1 OFFSET $most)", ("$most", Most));
        }
    }

    /// <summary>A response's body, or null.</summary>
    public JsonObject? Body(string id, string owner) => Read("body", id, owner) is { } text ? (JsonObject)JsonNode.Parse(text)! : null;

    /// <summary>The conversation up to the end of a response, or null.</summary>
    public IReadOnlyList<ChatMessage>? Messages(string id, string owner) =>
        Read("messages", id, owner) is { } text ? [.. ((JsonArray)JsonNode.Parse(text)!).Select(m => ChatMessage.FromJson(m!))] : null;

    /// <summary>Forgets a response.</summary>
    /// <returns>Whether there was one.</returns>
    public bool Remove(string id, string owner)
    {
        lock (_lock)
            return Run("DELETE FROM responses WHERE id = $id AND owner = $owner", ("$id", id), ("$owner", owner)) > 0;
    }

    /// <inheritdoc/>
    public void Dispose() => _connection.Dispose();

    private string? Read(string column, string id, string owner)
    {
        lock (_lock)
        {
            using SqliteCommand command = _connection.CreateCommand();
            command.CommandText = column == "body" ? "SELECT body FROM responses WHERE id = $id AND owner = $owner" : "SELECT messages FROM responses WHERE id = $id AND owner = $owner";
            command.Parameters.AddWithValue("$id", id);
            command.Parameters.AddWithValue("$owner", owner);
            return (string?)command.ExecuteScalar();
        }
    }

    private int Run(string sql, params ReadOnlySpan<(string Name, object Value)> parameters)
    {
        using SqliteCommand command = _connection.CreateCommand();
#pragma warning disable CA2100 // Only constants come here.
        command.CommandText = sql;
#pragma warning restore CA2100
        foreach ((string name, object value) in parameters)
            command.Parameters.AddWithValue(name, value);
        return command.ExecuteNonQuery();
    }
}
