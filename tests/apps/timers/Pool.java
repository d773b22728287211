// A HikariCP pool of one connection to PostgreSQL: java Pool HOST PORT MAX_LIFETIME_MS IDLE_MS MINIMUM
// What it says is described in python_programs.py.

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;

public class Pool {
    public static void main(String[] words) throws Exception {
        HikariConfig config = new HikariConfig();
        config.setJdbcUrl("jdbc:postgresql://" + words[0] + ":" + words[1] + "/postgres?user=postgres");
        config.setMaximumPoolSize(1);
        config.setMaxLifetime(Long.parseLong(words[2]));
        config.setIdleTimeout(Long.parseLong(words[3]));
        config.setMinimumIdle(Integer.parseInt(words[4]));
        try (HikariDataSource pool = new HikariDataSource(config);
                BufferedReader questions = new BufferedReader(new InputStreamReader(System.in))) {
            ask(pool);
            System.out.println("ready");
            while (questions.readLine() != null) {
                try {
                    ask(pool);
                    System.out.println("answered");
                } catch (SQLException error) {
                    System.out.println(error.toString().replace('\n', ' '));
                }
            }
        }
    }

    private static void ask(HikariDataSource pool) throws SQLException {
        try (Connection connection = pool.getConnection();
                Statement statement = connection.createStatement()) {
            statement.execute("select 1");
        }
    }
}
